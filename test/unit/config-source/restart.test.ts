import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigKeeper } from "../../../src/config-source/config-keeper.ts";
import { KeptSnapshots } from "../../../src/config-source/kept-snapshots.ts";
import type { Compilation } from "../../../src/policy/compile.ts";
import { formatPort } from "../../../src/policy/port.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { plainOptions, policyText } from "../../fake/policy-text.ts";
import { ConfigReportLog, MemoryStore, ScriptedSource } from "../../fake/scripted-source.ts";

const ssh = policyText({ name: "ssh" });
const badSsh = policyText({ name: "ssh", opensFor: "soon" });
const web = policyText({ name: "web", steps: "[9201/udp, 7202, 8203]", ports: "[443]" });
const otherWeb = policyText({ name: "web", steps: "[9301/udp, 7302, 8303]", ports: "[443]" });
const broken = "a: [1\n";

/** One run of an agent: its sources, and what it told and applied. */
interface Run {
  readonly files: ScriptedSource;
  readonly api: ScriptedSource;
  readonly keeper: ConfigKeeper;
  readonly report: ConfigReportLog;
  readonly applied: (Compilation & { readonly isWhole: boolean })[];
}

let clock: FakeClock;
let store: MemoryStore;
let runs: Run[];

beforeEach(() => {
  clock = new FakeClock();
  store = new MemoryStore();
  runs = [];
});

afterEach(async () => {
  for (const { keeper } of runs) await keeper.close();
});

describe("a restart", () => {
  test.each([
    { what: "a broken file", texts: [broken], failures: [], told: /not valid YAML/ },
    { what: "a file that is gone", texts: [], failures: ["/etc/a does not exist."], told: /does not exist/ },
    { what: "one file of two that cannot be read", texts: [ssh], failures: ["b may not be read."], told: /may not/ },
  ])("with $what leaves the last good policies in force, and says why", async ({ texts, failures, told }) => {
    await begin([ssh, web]);
    const { report, applied, keeper } = await restart(texts, failures);
    expect(namesOf(keeper)).toEqual(["default/ssh", "default/web"]);
    expect(applied.map(({ isWhole }) => isWhole)).toEqual([false]);
    expect(report.lines).toEqual([expect.stringMatching(/^restored 2: .*in force in its place\.$/)]);
    expect(report.lines[0]).toMatch(told);
  });

  test("with a policy that is rejected now leaves the version that was accepted", async () => {
    await begin([ssh, web]);
    const { report, keeper } = await restart([badSsh, web]);
    expect(namesOf(keeper)).toEqual(["default/ssh", "default/web"]);
    expect(report.lines).toEqual(["accepted 2, rejected 1"]);
  });

  test("with a sound configuration takes it alone, whatever was kept", async () => {
    await begin([ssh, web]);
    const { report, keeper } = await restart([otherWeb], [], 1000);
    expect(namesOf(keeper)).toEqual(["default/web"]);
    expect(stepsOf(keeper, "default/web")).not.toEqual(stepsOf(runs[0]?.keeper, "default/web"));
    expect(report.lines).toEqual(["accepted 1, rejected 0"]);
  });

  test("with an empty configuration looks a second time before it lets go of a port", async () => {
    await begin([ssh]);
    const run = launch([]);
    const started = run.keeper.start();
    await settle();
    expect(run.applied).toEqual([]);
    clock.advance(1000);
    await started;
    expect(run.files.rereads).toBe(1);
    expect(run.applied.map(({ guarded }) => guarded.map(formatPort))).toEqual([[]]);
    const next = await restart([], ["/etc/a does not exist."]);
    expect(namesOf(next.keeper)).toEqual([]);
    expect(next.report.lines).toEqual(["refused: /etc/a does not exist. What could be read is in force."]);
  });

  test("with an empty configuration that is full again at the second look has lost nothing", async () => {
    await begin([ssh]);
    const run = launch([]);
    const started = run.keeper.start();
    await settle();
    run.files.holds([ssh]);
    clock.advance(1000);
    await started;
    expect(namesOf(run.keeper)).toEqual(["default/ssh"]);
    expect(run.report.lines).toEqual(["accepted 1, rejected 0"]);
  });

  test("with a bad configuration goes over to the mended one, and a policy that is not in it is gone for good", async () => {
    await begin([ssh, web]);
    const { files, keeper } = await restart([broken]);
    await change(files, [ssh]);
    clock.advance(1000);
    await settle();
    expect(namesOf(keeper)).toEqual(["default/ssh"]);
    const { keeper: next } = await restart([broken]);
    expect(namesOf(next)).toEqual(["default/ssh"]);
  });

  test("with one source that is bad does not hold up another", async () => {
    const first = launch([ssh], []);
    first.api.holds([web]);
    await first.keeper.start();
    const run = launch([], ["the API cannot be reached."]);
    run.api.holds([otherWeb]);
    await run.keeper.start();
    expect(namesOf(run.keeper).toSorted()).toEqual(["default/ssh", "default/web"]);
    expect(stepsOf(run.keeper, "default/web")).not.toEqual(stepsOf(first.keeper, "default/web"));
    expect(run.report.lines).toEqual([expect.stringMatching(/^restored 2: the API cannot/)]);
  });

  test("of a source that reads elsewhere knows nothing of what was kept", async () => {
    await begin([ssh]);
    const run = launch([], ["/other does not exist."], "elsewhere");
    await run.keeper.start();
    expect(namesOf(run.keeper)).toEqual([]);
    expect(run.report.lines).toEqual(["refused: /other does not exist. What could be read is in force."]);
  });
});

describe("while a rejected policy leaves an earlier version in force", () => {
  test("that version outlives restarts, with the others as they are now", async () => {
    const { files } = await begin([ssh, web]);
    await change(files, [badSsh, otherWeb]);
    const { keeper } = await restart([badSsh, otherWeb]);
    expect(namesOf(keeper)).toEqual(["default/ssh", "default/web"]);
    expect(stepsOf(keeper, "default/web")).toEqual(stepsOf(runs[0]?.keeper, "default/web"));
  });

  test("and everything is broken at a restart, earlier versions of the others do not come back: their ports stay guarded", async () => {
    const { files } = await begin([ssh, web]);
    await change(files, [badSsh, otherWeb]);
    const { keeper, applied } = await restart([broken]);
    expect(namesOf(keeper)).toEqual(["default/ssh"]);
    expect(applied[0]?.guarded.map(formatPort)).toEqual(["22/tcp", "443/tcp"]);
  });

  test("a policy that was never accepted keeps nothing from being kept", async () => {
    await begin([badSsh, web]);
    const { keeper } = await restart([broken]);
    expect(namesOf(keeper)).toEqual(["default/web"]);
  });
});

describe("what is kept", () => {
  test("is written when it has changed, and not when it has not", async () => {
    const { files, keeper } = await begin([ssh]);
    await keeper.reread();
    expect(store.writes).toBe(1);
    await change(files, [ssh, web]);
    expect(store.writes).toBe(2);
  });

  test("is not what is refused", async () => {
    const { files } = await begin([ssh]);
    await change(files, [web, broken]);
    expect(JSON.stringify([...store.kept])).not.toContain("web");
  });

  test("is tried again when it cannot be written, said once, and the policies are in force all the same", async () => {
    store.broken = new Error("ENOSPC: no space left");
    const { keeper, report } = await begin([ssh]);
    clock.advance(90_000);
    expect(store.writes).toBe(4);
    expect(namesOf(keeper)).toEqual(["default/ssh"]);
    expect(report.lines.slice(1)).toEqual([
      "accepted 1, rejected 0",
      "warned: the policies could not be kept for a restart: ENOSPC: no space left",
    ]);
    store.broken = undefined;
    clock.advance(30_000);
    expect(store.kept.size).toBe(2);
    expect(clock.pendingTimers).toBe(0);
  });

  test("costs no start where it cannot be read", async () => {
    store.broken = new Error("policies.json is damaged");
    const { report } = await restart([], ["/etc/a does not exist."]);
    expect(report.lines).toEqual([
      "warned: the policies kept for a restart could not be read: policies.json is damaged",
      "refused: /etc/a does not exist. What could be read is in force.",
    ]);
  });
});

/** A first run with these files. */
async function begin(texts: readonly string[]): Promise<Run> {
  const run = launch(texts);
  await run.keeper.start();
  return run;
}

/** Another run with what the one before has kept; where something is lost, the second look is waited for. */
async function restart(texts: readonly string[], failures: readonly string[] = [], waitMs = 0): Promise<Run> {
  await runs.at(-1)?.keeper.close();
  const run = launch(texts, failures);
  const started = run.keeper.start();
  await settle();
  if (waitMs > 0) clock.advance(waitMs);
  await started;
  return run;
}

function launch(texts: readonly string[], failures: readonly string[] = [], filesName = "a"): Run {
  const [files, api] = [new ScriptedSource(filesName), new ScriptedSource("b")];
  files.holds(texts, failures);
  const report = new ConfigReportLog();
  const applied: Run["applied"] = [];
  const keeper = new ConfigKeeper({
    sources: [files, api],
    compileOptions: plainOptions,
    clock,
    report,
    kept: new KeptSnapshots({ store, clock, warned: (message) => report.warned(message) }),
    apply: async (compilation, isWhole) => void applied.push({ ...compilation, isWhole }),
  });
  const run = { files, api, keeper, report, applied };
  runs.push(run);
  return run;
}

async function change(source: ScriptedSource, texts: readonly string[]): Promise<void> {
  source.holds(texts);
  source.send();
  await settle();
}

/** Lets everything that is due be done. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

function namesOf(keeper: ConfigKeeper): readonly string[] {
  return keeper.lastGood?.policies.map(({ name }) => name) ?? [];
}

function stepsOf(keeper: ConfigKeeper | undefined, name: string): readonly number[] | undefined {
  return keeper?.lastGood?.policies.find((policy) => policy.name === name)?.opensBy.steps;
}
