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
const web = policyText({ name: "web", steps: "[9201/udp, 7202, 8203]", ports: "[443]" });
const otherSsh = policyText({ name: "ssh", opensFor: "1m" });
const badSsh = policyText({ name: "ssh", opensFor: "soon" });
const broken = "a: [1\n";

let clock: FakeClock;
let source: ScriptedSource;
let second: ScriptedSource;
let report: ConfigReportLog;
let applied: Compilation[];
let applyFails: Error | undefined;
let keeper: ConfigKeeper;

beforeEach(() => {
  clock = new FakeClock();
  source = new ScriptedSource("a");
  second = new ScriptedSource("b");
  report = new ConfigReportLog();
  applied = [];
  applyFails = undefined;
  keeper = new ConfigKeeper({
    sources: [source, second],
    compileOptions: { ...plainOptions, guards: [{ protocol: "tcp", port: 3306 }] },
    clock,
    report,
    kept: new KeptSnapshots({ store: new MemoryStore(), clock, warned: (message) => report.warned(message) }),
    apply: async (compilation) => {
      if (applyFails !== undefined) throw applyFails;
      applied.push(compilation);
    },
  });
});

afterEach(() => keeper.close());

/** Lets everything that is due be done. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

/** The time passes after which what was lost is looked for again. */
async function secondLook(): Promise<void> {
  clock.advance(1000);
  await settle();
}

/** Something changes, and the keeper hears of it. */
async function change(texts: readonly string[], failures: readonly string[] = []): Promise<void> {
  source.holds(texts, failures);
  source.send();
  await settle();
}

function guarded(): readonly string[] {
  return keeper.lastGood?.guarded.map(formatPort) ?? [];
}

function names(): readonly string[] {
  return keeper.lastGood?.policies.map(({ name }) => name) ?? [];
}

async function startWith(...texts: readonly string[]): Promise<void> {
  source.holds(texts);
  await keeper.start();
}

describe("the start", () => {
  test("applies all sources together, once", async () => {
    second.holds([web]);
    await startWith(ssh);
    expect(applied.length).toBe(1);
    expect(names()).toEqual(["default/ssh", "default/web"]);
    expect(report.lines).toEqual(["accepted 2, rejected 0"]);
  });

  test("with nothing guards what --guard names", async () => {
    await keeper.start();
    expect(guarded()).toEqual(["3306/tcp"]);
  });

  test("with something that cannot be read applies the rest and says so", async () => {
    source.holds([ssh], ["/absent does not exist."]);
    await keeper.start();
    expect(guarded()).toEqual(["22/tcp", "3306/tcp"]);
    expect(report.lines).toEqual(["refused: /absent does not exist. What could be read is in force."]);
  });

  test("that was partial goes on taking what is better, and nothing that is worse", async () => {
    await startWith(ssh, broken);
    expect(names()).toEqual(["default/ssh"]);
    await change([ssh, broken, web]);
    expect(names()).toEqual(["default/ssh", "default/web"]);
    await change([ssh, broken]);
    expect(names()).toEqual(["default/ssh", "default/web"]);
    await change([ssh, web]);
    expect(report.lines.map((line) => line.split(" ").at(-1))).toEqual(["force.", "force.", "stays.", "0"]);
  });

  test("fails when nothing can be put in force", async () => {
    applyFails = new Error("no permission");
    source.holds([ssh]);
    await expect(keeper.start()).rejects.toThrow("no permission");
    expect(keeper.lastGood).toBeUndefined();
  });
});

describe("a snapshot that is not believed", () => {
  test.each([
    ["a file that does not parse", [ssh, broken], [], "a1.yaml:2: The text is not valid YAML"],
    ["a file that cannot be read", [ssh], ["/etc/web.yaml may not be read."], "/etc/web.yaml may not be read."],
    [
      "a document that may have been a policy",
      [ssh, web.replace("Sequence", "Sequense")],
      [],
      "a1.yaml:2: Knockgate has no",
    ],
    ["a policy whose name is none", [ssh, web.replace("name: web", "name: Web")], [], "a1.yaml:3: The name is not"],
    ["nothing at all, and a reason", [], ["/etc/knockgate does not exist."], "/etc/knockgate does not exist."],
  ])("%s leaves everything in force", async (_, texts, failures, told) => {
    await startWith(ssh, web);
    const before = keeper.lastGood;
    await change(texts, failures);
    clock.advance(60_000);
    await settle();
    expect(keeper.lastGood).toBe(before);
    expect(report.lines.at(-1)).toContain(`refused: ${told}`);
    expect(report.lines.at(-1)).toMatch(/The configuration in force stays\.$/);
    await change([ssh, web]);
    expect(report.lines.at(-1)).toBe("accepted 2, rejected 0");
    expect(applied.length).toBe(1);
  });

  test("names five faults and not a thousand", async () => {
    await startWith(ssh);
    await change(Array.from({ length: 20 }, () => broken));
    expect(report.lines.at(-1)?.match(/not valid YAML/g)?.length).toBe(5);
  });
});

describe("a port that is guarded no longer", () => {
  test("though its policy is still named, is believed after a second look only", async () => {
    const both = policyText({ name: "ssh", ports: "[22, 23]" });
    await startWith(both);
    await change([ssh]);
    expect(guarded()).toEqual(["22/tcp", "23/tcp", "3306/tcp"]);
    source.holds([both]);
    await secondLook();
    expect(guarded()).toEqual(["22/tcp", "23/tcp", "3306/tcp"]);
    expect(applied.length).toBe(1);
    await change([ssh]);
    await secondLook();
    expect(guarded()).toEqual(["22/tcp", "3306/tcp"]);
  });
});

describe("a rejected policy", () => {
  test("stays as it was accepted, and the others go on", async () => {
    await startWith(ssh, web);
    const before = keeper.lastGood?.policies[0]?.fingerprint;
    await change([badSsh, web.replace("443", "8443")]);
    await secondLook();
    expect(report.lines.at(-1)).toBe("accepted 2, rejected 1");
    expect(guarded()).toEqual(["22/tcp", "3306/tcp", "8443/tcp"]);
    expect(keeper.lastGood?.policies.find(({ name }) => name === "default/ssh")?.fingerprint).toBe(before);
    await change([badSsh, web]);
    await secondLook();
    expect(guarded()).toEqual(["22/tcp", "443/tcp", "3306/tcp"]);
    await change([otherSsh, web]);
    expect(keeper.lastGood?.policies.find(({ name }) => name === "default/ssh")?.opens?.forMicros).toBe(60e6);
  });

  test("that never was accepted stops nobody", async () => {
    await startWith(badSsh, web);
    expect(names()).toEqual(["default/web"]);
    expect(report.lines).toEqual(["accepted 1, rejected 1"]);
  });
});

describe("a policy that has vanished", () => {
  test.each([
    ["alone", [ssh], ["default/ssh"]],
    ["with all others", [], []],
  ])("%s is looked for a second time and then believed gone", async (_, left, remaining) => {
    await startWith(ssh, web);
    await change(left);
    expect(names()).toEqual(["default/ssh", "default/web"]);
    clock.advance(1000);
    await settle();
    expect(source.rereads).toBe(1);
    expect(names()).toEqual(remaining);
    expect(report.lines.at(-1)).toBe(`accepted ${remaining.length}, rejected 0`);
  });

  test.each([
    ["with all others", web, []],
    ["alone, though its port stays guarded", web.replace("443", "22"), [ssh]],
  ])("for a moment, %s, was never gone", async (_, vanishing, left) => {
    await startWith(ssh, vanishing);
    await change(left);
    expect(names()).toEqual(["default/ssh", "default/web"]);
    source.holds([ssh, vanishing]);
    await secondLook();
    expect(applied.length).toBe(1);
    expect(names()).toEqual(["default/ssh", "default/web"]);
  });

  test("and whose file cannot be read the second time stays", async () => {
    await startWith(ssh, web);
    source.holds([ssh]);
    source.send();
    await settle();
    source.holds([ssh], ["/etc/web.yaml may not be read."]);
    clock.advance(1000);
    await settle();
    expect(names()).toEqual(["default/ssh", "default/web"]);
    expect(report.lines.at(-1)).toContain("The configuration in force stays.");
  });
});

describe("changes", () => {
  test("that mean the same are told and not applied", async () => {
    await startWith(ssh);
    await change([ssh.replace("30s", "30000ms")]);
    expect(applied.length).toBe(1);
    expect(report.lines.length).toBe(2);
  });

  test("that are none are not even told, unless somebody asked", async () => {
    await startWith(ssh);
    source.send();
    await settle();
    expect(report.lines.length).toBe(1);
    await keeper.reread();
    expect(report.lines.length).toBe(2);
    expect([source.rereads, second.rereads, applied.length]).toEqual([1, 1, 1]);
  });

  test("while one is applied are weighed together afterwards", async () => {
    await startWith(ssh);
    for (const ports of ["[22, 23]", "[22, 24]", "[22, 25]"]) {
      source.holds([policyText({ name: "ssh", ports })]);
      source.send();
    }
    await settle();
    expect(applied.map(({ guarded: ports }) => ports.map(formatPort)[1])).toEqual(["3306/tcp", "25/tcp"]);
  });

  test("that cannot be put in force are tried again", async () => {
    await startWith(ssh);
    applyFails = new Error("the kernel is out of memory");
    await change([ssh, web]);
    expect(names()).toEqual(["default/ssh"]);
    expect(report.lines.at(-1)).toBe(
      "refused: The new configuration could not be put in force (the kernel is out of memory); it is tried again.",
    );
    applyFails = undefined;
    clock.advance(5000);
    await settle();
    expect(names()).toEqual(["default/ssh", "default/web"]);
  });
});

test("closing ends the waiting, the timers and the sources", async () => {
  await startWith(ssh);
  source.holds([]);
  source.send();
  await settle();
  await keeper.close();
  await keeper.close();
  expect([source.closed, second.closed, clock.pendingTimers]).toEqual([true, true, 0]);
  await change([web]);
  expect(names()).toEqual(["default/ssh"]);
});
