import { describe, expect, test } from "vitest";
import { runPlugin } from "../../../src/cli/kubectl-plugin.ts";
import type { KubeLoaders } from "../../../src/cli/wiring.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

/** Runs the plug-in with commands that only note what they were asked. */
async function run(line: string) {
  const io = new MemoryIo();
  const asked: Record<string, unknown> = {};
  const noting = (name: string) => async () => async (args: unknown) => {
    asked[name] = args;
    return 1;
  };
  const loaders: KubeLoaders = {
    kubeGrants: noting("grants"),
    kubeRevoke: noting("revoke"),
    kubeWatch: noting("watch"),
  };
  const code = await runPlugin(line.split(" "), io, loaders);
  return { code, asked, out: io.out, err: io.err };
}

describe("kubectl knock", () => {
  test.each(["grants", "revoke", "watch"])(
    "%s -h explains itself with an example, and has no host's options",
    async (name) => {
      const { code, out } = await run(`${name} -h`);
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`^Usage: kubectl knock ${name}`));
      expect(out).toMatch(new RegExp(`Examples?:\\n {2}kubectl knock ${name}`));
      expect(out).not.toMatch(/--socket|--kube\b/);
    },
  );

  test.each(["agent", "cleanup", "confirm"])("refuses %s in a sentence", async (name) => {
    const { code, err } = await run(name);
    expect(code).toBe(2);
    expect(err).toMatch(
      /^error: unknown command '.*'\nkubectl knock can do grants, revoke and watch; see kubectl knock -h\.\n$/,
    );
  });

  test("asks the Kubernetes API without being told so, and ends as the command does", async () => {
    const scope = { kubeconfig: undefined, context: undefined, namespace: "n", allNamespaces: false };
    expect(await run("grants -n n")).toMatchObject({ code: 1, asked: { grants: { output: "table", scope } } });
  });
});
