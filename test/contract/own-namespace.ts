import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const marker = "KNOCKGATE_TEST_NAMESPACE";

/** Whether this process was started by `inOwnNamespace`: nothing outside can be touched by its nftables. */
const isInOwnNamespace = process.env[marker] === "own";

/**
 * Runs a suite in a network namespace that is its alone: the test file is run a second time by a vitest started under
 * `unshare --net`, and there, where nftables may be written in process, the suite itself is defined.
 */
export function inOwnNamespace(name: string, importUrl: string, timeoutMs: number, suite: () => void): void {
  if (isInOwnNamespace) {
    describe(name, suite);
    return;
  }
  test(
    `${name}, in a network namespace of its own`,
    async (context) => {
      const fault = namespaceFault();
      if (fault !== undefined && process.env.CI !== "true") return context.skip(fault);
      expect(fault).toBeUndefined();
      const { status, output } = await runAgain(fileURLToPath(importUrl), timeoutMs - 2000);
      expect(status, output).toBe(0);
    },
    timeoutMs,
  );
}

/** Why this process may not make a network namespace; undefined where it may. */
function namespaceFault(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "root is needed to make network namespaces: run the tests with sudo";
}

function runAgain(file: string, timeoutMs: number): Promise<{ status: number | null; output: string }> {
  const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
  const args = ["--net", process.execPath, vitest, "run", "--coverage.enabled=false", "--reporter=verbose", file];
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith("VITEST"));
  const env = { ...Object.fromEntries(inherited), [marker]: "own" };
  return new Promise((resolve) => {
    const child = spawn("unshare", args, {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGTERM",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", (error) => resolve({ status: null, output: error.message }));
    child.on("close", (status) => resolve({ status, output }));
  });
}
