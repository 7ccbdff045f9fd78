import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Confirmation, type Enforced, type Mode } from "../../src/confirmation.ts";
import { ConfirmationFile } from "../../src/confirmation-file.ts";
import { parseCidr } from "../../src/policy/address.ts";
import { parsePort } from "../../src/policy/port.ts";
import { FakeClock } from "../fake/fake-clock.ts";

let folder: string;
let clock: FakeClock;
let lapses: number;
let told: string[];
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "knockgate-confirmation-"));
  clock = new FakeClock();
  lapses = 0;
  told = [];
  warnings = [];
});

afterEach(() => rmSync(folder, { recursive: true }));

describe("what is enforced for the first time", () => {
  test("falls back to observe when nobody confirms it in time", () => {
    const confirmation = begin();
    clock.advance(599_999);
    expect([confirmation.mode, lapses]).toEqual(["enforce", 0]);
    clock.advance(1);
    expect([confirmation.mode, confirmation.state, lapses]).toEqual(["observe", "lapsed", 1]);
    expect(told).toEqual(["asked enforce 600s", "lapsed observe"]);
  });

  test("stays enforced when somebody does", () => {
    const confirmation = begin();
    clock.advance(599_000);
    expect(confirmation.bootMode).toBe("observe");
    expect(confirmation.confirm()).toBe(true);
    expect(confirmation.bootMode).toBe("enforce");
    clock.advance(3_600_000);
    expect([confirmation.mode, confirmation.state, lapses]).toEqual(["enforce", "confirmed", 0]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is enforced again when somebody confirms it too late, and the gate has to be loaded anew", () => {
    const confirmation = begin();
    clock.advance(600_000);
    expect(confirmation.confirm()).toBe(true);
    expect([confirmation.mode, confirmation.state]).toEqual(["enforce", "confirmed"]);
    expect(confirmation.confirm()).toBe(false);
  });

  test("does not get more time by a reload that changes nothing of it", () => {
    const confirmation = begin();
    clock.advance(400_000);
    confirmation.enforce(enforced({ ports: ["443/tcp", "22/tcp"] }));
    clock.advance(200_000);
    expect(confirmation.state).toBe("lapsed");
  });

  test("is asked for as long as the clock on the wall jumps", () => {
    const confirmation = begin();
    clock.wallOffsetMicros += 3600e6;
    clock.advance(599_999);
    expect(confirmation.mode).toBe("enforce");
    clock.wallOffsetMicros -= 7200e6;
    clock.advance(1);
    expect(confirmation.mode).toBe("observe");
  });
});

describe("a restart gives no more time", () => {
  test("while nobody has confirmed: what is left goes on", () => {
    begin().close();
    clock.advance(400_000);
    const after = begin();
    expect(told).toEqual(["asked enforce 600s", "asked enforce 200s"]);
    clock.advance(200_000);
    expect([after.mode, after.state, lapses]).toEqual(["observe", "lapsed", 1]);
  });

  test("to an agent that crashes again and again", () => {
    for (let run = 0; run < 10; run++) {
      const confirmation = begin();
      expect(confirmation.mode).toBe("enforce");
      confirmation.close();
      clock.advance(60_000);
    }
    expect(begin().mode).toBe("observe");
  });

  test("when it comes after the time: nothing is enforced, and the gate is loaded once", () => {
    begin().close();
    clock.advance(600_000);
    const after = begin();
    expect([after.mode, after.state, lapses]).toEqual(["observe", "lapsed", 0]);
    expect(after.confirm()).toBe(true);
  });

  test("whatever the clock on the wall says meanwhile", () => {
    begin().close();
    clock.wallOffsetMicros += 3600e6;
    clock.advance(400_000);
    begin().close();
    clock.wallOffsetMicros -= 7200e6;
    clock.advance(100_000);
    begin();
    expect(told.at(-1)).toBe("asked enforce 100s");
  });

  test("but another --confirm-within counts from the same beginning", () => {
    begin().close();
    clock.advance(400_000);
    begin({}, 3600);
    expect(told.at(-1)).toBe("asked enforce 3200s");
  });

  test("but a change of who is kept out asks anew, for all of it", () => {
    begin().close();
    clock.advance(400_000);
    begin({ ports: ["22/tcp"] });
    expect(told.at(-1)).toBe("asked enforce 600s");
  });

  test.each([
    { name: "the time by the clock on the wall counts", passed: 250e6, left: "350s" },
    { name: "time has run out meanwhile", passed: 700e6, left: undefined },
    { name: "a clock that went back gives what was asked for, and no more", passed: -1e12, left: "600s" },
  ])("nor does a reboot: $name", ({ passed, left }) => {
    begin().close();
    const wall = clock.wallMicros();
    clock = new FakeClock();
    clock.wallOffsetMicros += wall + passed - clock.wallMicros();
    const after = begin({}, 600, folder, "another boot");
    expect(told.at(-1)).toBe(left === undefined ? "lapsed observe" : `asked enforce ${left}`);
    expect(after.state).toBe(left === undefined ? "lapsed" : "asked");
  });
});

describe("nobody is asked", () => {
  test.each([
    { name: "without --confirm-within", within: 0, what: {} },
    { name: "where nothing is guarded", within: 600, what: { ports: [] } },
    { name: "with --mode observe", within: 600, what: { mode: "observe" } },
  ] as const)("$name", ({ within, what }) => {
    const confirmation = begin(what, within);
    clock.advance(3_600_000);
    expect([confirmation.state, lapses]).toEqual(["not-asked", 0]);
    expect(confirmation.confirm()).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("the answer is kept", () => {
  test("over a restart, in a file of root's alone", () => {
    begin().confirm();
    expect(readdirSync(folder)).toEqual(["confirmation.json"]);
    expect(statSync(join(folder, "confirmation.json")).mode & 0o777).toBe(0o600);
    expect(begin({ ports: ["443/tcp", "22/tcp"] }).state).toBe("confirmed");
    expect(clock.pendingTimers).toBe(0);
  });

  test("over a restart also when it lapsed: who was let in by it is not locked out again", () => {
    begin();
    clock.advance(600_000);
    const after = begin();
    expect([after.mode, after.state]).toEqual(["observe", "lapsed"]);
    expect(after.confirm()).toBe(true);
    expect(begin().state).toBe("confirmed");
  });

  test.each([
    { name: "one more port is guarded", change: { ports: ["22/tcp", "443/tcp", "8443/tcp"] } },
    { name: "a port is guarded no more", change: { ports: ["22/tcp"] } },
    { name: "somebody else is trusted", change: { trusts: ["198.51.100.0/24"] } },
    { name: "everything else is dropped too", change: { defaultDrop: true } },
  ])("until $name", ({ change }) => {
    const confirmation = begin();
    confirmation.confirm();
    confirmation.enforce(enforced(change));
    expect(confirmation.state).toBe("asked");
    clock.advance(600_000);
    expect(confirmation.mode).toBe("observe");
  });

  test("until the mode was another in between", () => {
    begin().confirm();
    begin({ mode: "observe" });
    expect(begin().state).toBe("asked");
  });

  test("not by a damaged file, which is told", () => {
    writeFileSync(join(folder, "confirmation.json"), '{"fingerprint": "');
    expect(begin().state).toBe("asked");
    expect(warnings).toEqual([expect.stringMatching(/^the confirmation could not be read: /)]);
  });

  test("in memory where the state directory cannot be written", () => {
    writeFileSync(join(folder, "file"), "");
    const confirmation = begin({}, 600, join(folder, "file"));
    confirmation.confirm();
    expect(confirmation.state).toBe("confirmed");
    expect(warnings.at(-1)).toMatch(/^the confirmation could not be kept: /);
  });
});

interface Scene {
  readonly mode?: Mode;
  readonly ports?: readonly string[];
  readonly trusts?: readonly string[];
  readonly defaultDrop?: boolean;
}

/** A confirmation that has been told what is enforced. */
function begin(scene: Scene = {}, withinSeconds = 600, directory = folder, boot = "this boot"): Confirmation {
  const confirmation = new Confirmation({
    mode: scene.mode ?? "enforce",
    withinMicros: withinSeconds * 1e6,
    clock,
    boot,
    file: new ConfirmationFile(directory),
    report: {
      changed: (state, mode, left) => told.push(`${state} ${mode}${left === undefined ? "" : ` ${left / 1e6}s`}`),
      warned: (message) => warnings.push(message),
    },
    lapsed: () => lapses++,
  });
  confirmation.enforce(enforced(scene));
  return confirmation;
}

function enforced({ mode, ports, trusts, defaultDrop }: Scene): Enforced {
  const read = <T>(texts: readonly string[], parse: (text: string) => T | undefined) =>
    texts.map(parse).filter((value) => value !== undefined);
  return {
    mode: mode ?? "enforce",
    guarded: read(ports ?? ["22/tcp", "443/tcp"], parsePort),
    cutting: [],
    trusts: read(trusts ?? [], parseCidr),
    guardAddresses: [],
    serves: [],
    defaultDrop: defaultDrop ?? false,
  };
}
