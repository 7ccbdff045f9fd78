import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Command, commandText } from "../../../src/command/command.ts";
import type { ProcessEnd } from "../../../src/command/command-process.ts";
import { CommandQueue } from "../../../src/command/command-queue.ts";
import type { CommandEnd } from "../../../src/command/command-report.ts";
import { DoorCommands } from "../../../src/command/door-commands.ts";
import { PendingFile, pendingFileName } from "../../../src/command/pending-file.ts";
import type { GrantEvent } from "../../../src/grant/grant-report.ts";
import { type Address, parseAddress, parseCidr } from "../../../src/policy/address.ts";
import type { Policy, RunCommands } from "../../../src/policy/policy.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const alice = address("192.0.2.11");
const six = address("2001:db8::11");

let folder: string;
let clock: FakeClock;
let started: Command[];
let events: GrantEvent[];
let ends: CommandEnd[];
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "knockgate-commands-"));
  clock = new FakeClock();
  [started, events, ends, warnings] = [[], [], [], []];
});
afterEach(() => rmSync(folder, { recursive: true }));

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

/** A policy without `opens`, as a door of a knockd.conf. */
function door(run: RunCommands, name = "ssh"): Policy {
  return { ...samplePolicy({ name }), opens: undefined, run };
}

const ended: ProcessEnd = { exitCode: 0, reason: undefined, output: "" };

function start(changes: { neverGrants?: readonly string[]; mostPending?: number } = {}) {
  const report = {
    started: (command: Command) => void started.push(command),
    ended: (end: CommandEnd) => void ends.push(end),
    warned: (message: string) => void warnings.push(message),
  };
  const queue = new CommandQueue({
    clock,
    start: () => ({ ended: Promise.resolve(ended), kill: () => {} }),
    report,
  });
  return new DoorCommands({
    clock,
    queue,
    file: new PendingFile(folder),
    grants: { grant: (event) => void events.push(event) },
    report,
    neverGrants: (changes.neverGrants ?? []).flatMap((text) => parseCidr(text) ?? []),
    ...(changes.mostPending === undefined ? {} : { mostPending: changes.mostPending }),
  });
}

const completed = (policy: Policy, source = alice, action: "open" | "close" = "open") => ({
  policy,
  action,
  source,
  atMicros: clock.nowMicros(),
  packet: "",
});
const texts = () => started.map(commandText);
const kept = () => JSON.parse(readFileSync(join(folder, pendingFileName), "utf8")) as readonly object[];

const timed = door({ opened: "open %IP%", closed: "close %IP%", forMicros: 25e6 });

describe("a door that commands open", () => {
  test("is opened by its knock and closed when its time is over", async () => {
    const commands = start();
    commands.complete(completed(timed));
    await clock.advanceAsync(24_999);
    expect(texts()).toEqual(["open 192.0.2.11"]);
    await clock.advanceAsync(1);
    expect(texts()).toEqual(["open 192.0.2.11", "close 192.0.2.11"]);
    expect(events.map(({ kind, policy }) => `${kind} ${policy}`)).toEqual(["added default/ssh", "expired default/ssh"]);
    expect(kept()).toEqual([]);
  });

  test("stays open for longer when it is knocked again, and is then closed as often as it was opened", async () => {
    const commands = start();
    commands.complete(completed(timed));
    await clock.advanceAsync(20_000);
    commands.complete(completed(timed));
    await clock.advanceAsync(24_000);
    expect(texts()).toEqual(["open 192.0.2.11", "open 192.0.2.11"]);
    await clock.advanceAsync(1000);
    expect(texts().slice(2)).toEqual(["close 192.0.2.11", "close 192.0.2.11"]);
    expect(clock.pendingTimers).toBe(0);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "renewed", "expired"]);
  });

  test("of another source has a time of its own", async () => {
    const commands = start();
    commands.complete(completed(timed));
    await clock.advanceAsync(10_000);
    commands.complete(completed(timed, six));
    await clock.advanceAsync(15_000);
    expect(texts()).toEqual(["open 192.0.2.11", "open 2001:db8::11", "close 192.0.2.11"]);
  });

  test("uses the commands of its family, and none where they are empty", async () => {
    const commands = start();
    const run = { opened: "open", closed: "close", openedV6: "open6 %IP%", closedV6: "", forMicros: 1e6 };
    commands.complete(completed(door(run), six));
    await clock.advanceAsync(5000);
    expect(texts()).toEqual(["open6 2001:db8::11"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("is closed at once with a time of nothing, after it was opened", async () => {
    const commands = start();
    commands.complete(completed(door({ opened: "open", closed: "close", forMicros: 0 })));
    await clock.advanceAsync(1);
    expect(texts()).toEqual(["open", "close"]);
  });

  test("without a time is closed by closedBy or a revocation", async () => {
    const commands = start();
    const run = { opened: ["/bin/open", "%IP%"], closed: ["/bin/close", "%IP%"] };
    commands.complete(completed(door(run)));
    commands.complete(completed(door(run), alice, "close"));
    await clock.advanceAsync(1);
    expect(texts()).toEqual(["/bin/open 192.0.2.11", "/bin/close 192.0.2.11"]);
    commands.complete(completed(door(run)));
    expect([commands.revoke(alice, "default/other"), commands.revoke(alice, undefined)]).toEqual([0, 1]);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "revoked", "added", "revoked"]);
  });

  test("tells the command who, by what, and until when", async () => {
    start().complete(completed(timed));
    await clock.advanceAsync(1);
    expect(started[0]?.env).toEqual({
      KNOCKGATE_SOURCE: "192.0.2.11",
      KNOCKGATE_SEQUENCE: "default/ssh",
      KNOCKGATE_PORTS: "",
      KNOCKGATE_DEADLINE: String(Math.round((clock.wallMicros() - 1000) / 1e6) + 25),
    });
  });

  test("is refused for a source that is never granted, and when too many wait to be closed", async () => {
    const commands = start({ neverGrants: ["192.0.2.0/24"], mostPending: 1 });
    commands.complete(completed(timed));
    commands.complete(completed(timed, six));
    commands.complete(completed(timed, address("2001:db8::12")));
    expect(events.map(({ kind, reason }) => [kind, reason])).toEqual([
      ["refused", "never-grant"],
      ["added", undefined],
      ["refused", "limit"],
    ]);
    expect(texts()).toEqual(["open 2001:db8::11"]);
  });

  test("does not run what is longer than knockd runs", async () => {
    start().complete(completed(door({ opened: "x".repeat(4096) })));
    expect(texts()).toEqual([]);
    expect(warnings).toEqual(["A command of default/ssh was not run: it has 4096 bytes or more."]);
  });
});

describe("what has to be closed survives the agent", () => {
  test("and is closed at its time, or at once when that is over", async () => {
    const first = start();
    first.complete(completed(timed));
    first.complete(completed(door({ opened: "o", closed: "c %IP%", forMicros: 5e6 }, "web"), six));
    first.stop();
    expect(statSync(join(folder, pendingFileName)).mode & 0o777).toBe(0o600);
    await clock.advanceAsync(10_000);
    const begun = started.length;
    start().restore(() => false);
    await clock.advanceAsync(1);
    expect(texts().slice(begun)).toEqual(["c 2001:db8::11"]);
    await clock.advanceAsync(15_000);
    expect(texts().slice(begun)).toEqual(["c 2001:db8::11", "close 192.0.2.11"]);
    expect(kept()).toEqual([]);
  });

  test("unless what is kept is damaged or no address: nothing is run for that", () => {
    const row = { policy: "a/b", ports: [], command: "close %IP%", times: 1, dueWallMicros: 0 };
    const rows = [
      { ...row, source: "$(reboot)" },
      { ...row, source: "192.0.2.1", command: 7 },
      { ...row, times: "x" },
    ];
    writeFileSync(join(folder, pendingFileName), JSON.stringify(rows));
    start().restore(() => false);
    expect(clock.pendingTimers).toBe(0);
    writeFileSync(join(folder, pendingFileName), "{");
    start().restore(() => false);
    expect(warnings).toEqual([expect.stringContaining("cannot be read")]);
  });

  test("and is told where no command may be run", () => {
    const first = start();
    first.leaveOpen();
    first.complete(completed(timed));
    first.stop();
    const begun = started.length;
    start().leaveOpen();
    expect(warnings).toEqual([expect.stringMatching(/^1 doors .* stay open: start with --allow-commands/)]);
    expect(started).toHaveLength(begun);
  });

  test("and is told once when the disk takes nothing", () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "");
    const commands = start();
    commands.complete(completed(timed));
    commands.complete(completed(timed, six));
    expect(warnings).toEqual([expect.stringContaining("not kept over a restart")]);
    rmSync(folder);
    folder = mkdtempSync(join(tmpdir(), "knockgate-commands-"));
  });
});

describe("a policy that opens ports too", () => {
  const both: Policy = {
    ...samplePolicy({ ports: ["22/tcp"] }),
    run: { opened: ["o", "%IP%"], closed: ["c", "%IP%"] },
  };
  const grant = (kind: GrantEvent["kind"]): GrantEvent => ({
    kind,
    source: alice,
    policy: both.name,
    ports: both.opens?.ports ?? [],
    untilWallMicros: clock.wallMicros() + 30e6,
  });

  test("runs its commands when the grant is new and when it ends", async () => {
    const commands = start();
    commands.usePolicies([both]);
    commands.complete(completed(both));
    expect(texts()).toEqual([]);
    commands.granted(grant("added"));
    commands.granted(grant("renewed"));
    await clock.advanceAsync(1000);
    commands.granted(grant("expired"));
    commands.granted(grant("revoked"));
    await clock.advanceAsync(60_000);
    expect(texts()).toEqual(["o 192.0.2.11", "c 192.0.2.11"]);
    expect(started[0]?.env.KNOCKGATE_PORTS).toBe("22/tcp");
    expect(events).toEqual([]);
  });

  test("whose grant ended while the agent was away is closed when it is back", async () => {
    const first = start();
    first.usePolicies([both]);
    first.granted(grant("added"));
    first.granted({ ...grant("added"), source: six, untilWallMicros: undefined });
    first.stop();
    await clock.advanceAsync(40_000);
    const second = start();
    second.usePolicies([both]);
    second.restore((_, source) => source === alice);
    await clock.advanceAsync(1);
    expect(texts().slice(2).sort()).toEqual(["c 192.0.2.11", "c 2001:db8::11"]);
  });
});
