import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { KnockdLog } from "../../../src/observability/knockd-log.ts";
import { KnockdLogFile } from "../../../src/observability/knockd-log-file.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { sampleKnock } from "../../fake/sample-knock.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const door: Policy = { ...samplePolicy({ name: "ssh" }), knockd: { door: "open SSH", oneTime: undefined } };
const from = "198.51.100.7";
const knock = sampleKnock({ from, port: 7000 });
const source = parseAddress(from) ?? new Uint32Array(4);

const clock = new FakeClock();

function logged(lookup?: (address: string) => Promise<string | undefined>) {
  const lines: string[] = [];
  const write = (text: string, spaced: boolean) => void lines.push(spaced ? `${text}\n` : text);
  const log = new KnockdLog({ nowMicros: () => clock.nowMicros(), write, lookup });
  log.usePolicies([door, samplePolicy({ name: "tolerant" })]);
  return { log, lines };
}

test("stages, openings and timeouts have knockd's lines, and what fails has none", () => {
  const { log, lines } = logged();
  const tell = (kind: Parameters<KnockdLog["outcome"]>[0], step: number) =>
    log.outcome(kind, door.opensBy, step, knock);
  tell("advanced", 1);
  tell("reset", 0);
  tell("advanced", 1);
  tell("advanced", 2);
  tell("ignored", 0);
  tell("expired", 1);
  tell("completed", 3);
  log.outcome("advanced", samplePolicy({ name: "tolerant" }).opensBy, 1, knock);
  expect(lines).toEqual([
    `${from}: open SSH: Stage 1`,
    `${from}: open SSH: Stage 1`,
    `${from}: open SSH: Stage 2`,
    `${from}: open SSH: sequence timeout (stage 2)\n`,
    `${from}: open SSH: Stage 1`,
    `${from}: open SSH: Stage 3`,
    `${from}: open SSH: OPEN SESAME`,
  ]);
});

test("commands are told when they begin, and when they fail", () => {
  const { log, lines } = logged();
  const command = {
    policy: door.name,
    moment: "closed",
    source,
    argv: ["/bin/sh", "-c", "close it"],
    env: {},
  } as const;
  log.started(command);
  log.ended({ command, result: "failed", exitCode: 2, reason: undefined, output: "", seconds: 1 });
  log.ended({ command, result: "done", exitCode: 0, reason: undefined, output: "", seconds: 1 });
  log.ended({ command, result: "too-long", exitCode: undefined, reason: "it took longer", output: "", seconds: 60 });
  expect(lines).toEqual([
    `${from}: open SSH: command timeout`,
    "open SSH: running command: close it\n",
    "open SSH: command returned non-zero status code (2)",
    "open SSH: command failed: it took longer",
  ]);
});

test("names of addresses are shown where they are asked for, and lines keep their order", async () => {
  const names = new Map([[from, "client.example"]]);
  const { log, lines } = logged(async (address) => names.get(address));
  log.outcome("advanced", door.opensBy, 1, knock);
  log.say("shutting down");
  await log.drained();
  expect(lines).toEqual([`${from} (client.example): open SSH: Stage 1`, "shutting down"]);
});

test("a flood of first steps is told to a bound, openings always are, and what was left out is counted", () => {
  const { log, lines } = logged();
  clock.advance(1000);
  for (let packet = 0; packet < 5000; packet++) log.outcome("advanced", door.opensBy, 1, knock);
  log.outcome("completed", door.opensBy, 3, knock);
  expect(lines).toHaveLength(1001);
  expect(lines.at(-1)).toBe(`${from}: open SSH: OPEN SESAME`);
  clock.advance(1000);
  log.outcome("advanced", door.opensBy, 1, knock);
  expect(lines.slice(1001)).toEqual(["4001 stages and timeouts were left out", `${from}: open SSH: Stage 1`]);
});

test("syslog has the lines with knockd's ident and level", async () => {
  const folder = mkdtempSync(join(tmpdir(), "knockgate-log-"));
  writeFileSync(
    join(folder, "logger"),
    `#!/bin/sh\necho "$@" > ${folder}/args\ncat > ${folder}/lines\nmv ${folder}/lines ${folder}/all\n`,
  );
  chmodSync(join(folder, "logger"), 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
  const file = new KnockdLogFile(
    () => 0,
    () => {},
  );
  file.use({ logFile: undefined, useSyslog: true });
  file.write("a line", true);
  file.close();
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  await vi.waitFor(() => expect(read("all")).toBe("a line\n"), { timeout: 5000 });
  expect(read("args")).toBe("-t knockd -p user.notice\n");
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("the file has the time before each line, and a file that cannot be written is told once", () => {
  const folder = mkdtempSync(join(tmpdir(), "knockgate-log-"));
  const failures: string[] = [];
  const file = new KnockdLogFile(
    () => new Date(2026, 10, 5, 7, 9).getTime() * 1000,
    (reason) => failures.push(reason),
  );
  file.write("nowhere", false);
  file.use({ logFile: join(folder, "knockd.log"), useSyslog: false });
  file.write("one", true);
  file.write("two", false);
  expect(readFileSync(join(folder, "knockd.log"), "utf8")).toBe("[2026-11-05 07:09] one\n\n[2026-11-05 07:09] two\n");
  file.use({ logFile: folder, useSyslog: false });
  file.write("lost", false);
  file.write("lost", false);
  expect(failures).toEqual([expect.stringContaining("EISDIR")]);
  file.close();
  rmSync(folder, { recursive: true });
});
