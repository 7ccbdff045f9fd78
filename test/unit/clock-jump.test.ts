import { beforeEach, describe, expect, test } from "vitest";
import { StampClock } from "../../src/capture/stamp-clock.ts";
import { protocolNumber } from "../../src/decode/knock.ts";
import type { GrantEvent } from "../../src/grant/grant-report.ts";
import { Granter } from "../../src/grant/granter.ts";
import { portOfKey } from "../../src/policy/port.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import { FakeClock } from "../fake/fake-clock.ts";
import { FakeGate } from "../fake/fake-gate.ts";
import { sampleKnock } from "../fake/sample-knock.ts";
import { samplePolicy } from "../fake/sample-policy.ts";

const policy = samplePolicy({ withinSeconds: 15, forSeconds: 30, closedBy: ["9000/udp", "8000/tcp"] });
const hourMicros = 3600e6;

let clock: FakeClock;
let gate: FakeGate;
let stamps: StampClock;
let tracker: KnockTracker;
let granter: Granter;
let events: GrantEvent[];
/** Of the opening sequence. */
let outcomes: string[];
let packets: number;

beforeEach(() => {
  clock = new FakeClock();
  gate = new FakeGate();
  stamps = new StampClock(clock);
  events = [];
  outcomes = [];
  packets = 0;
  granter = new Granter({
    gate,
    clock,
    connections: { cut: async () => undefined },
    report: { grant: (event) => events.push(event), active: () => undefined },
    neverGrants: [],
    maxGrants: 100,
  });
  tracker = new KnockTracker({
    maxSources: 1000,
    report: { outcome: (kind, { action }) => action === "open" && outcomes.push(kind), evicted: () => undefined },
    complete: (completion) => granter.complete(completion),
  });
  granter.usePolicies([policy]);
  tracker.usePolicies([policy]);
});

describe.each([
  { direction: "ahead", jump: hourMicros },
  { direction: "back", jump: -hourMicros },
])("the clock jumps by an hour $direction", ({ jump }) => {
  const jumps = () => {
    clock.wallOffsetMicros += jump;
  };

  test.each([1, 2])("after step %d: the sequence is completed in time", async (steps) => {
    for (const at of [0, 1, 2]) {
      if (at === steps) jumps();
      knock(at);
      clock.advance(7000);
    }
    await granter.settled();
    expect(outcomes).toEqual(["advanced", "advanced", "completed"]);
    expect(events).toMatchObject([{ kind: "added" }]);
  });

  test("and back again between the steps", () => {
    for (const change of [0, jump, -jump]) {
      clock.wallOffsetMicros += change;
      knock(outcomes.length);
      clock.advance(4000);
    }
    expect(outcomes).toEqual(["advanced", "advanced", "completed"]);
  });

  test("while a packet lies in the queue: its time stays", () => {
    knock(0);
    clock.advance(1000);
    const stamp = clock.wallMicros();
    clock.advance(20);
    jumps();
    knock(1, stamp);
    clock.advance(13_979);
    knock(2);
    expect(outcomes).toEqual(["advanced", "advanced", "completed"]);
  });

  test.each([0, 14_000])("%d ms after the last step in time: a step that is late is late all the same", (ms) => {
    knock(0);
    knock(1);
    clock.advance(ms);
    jumps();
    clock.advance(15_000 - ms);
    knock(2);
    expect(outcomes).toEqual(["advanced", "advanced", "expired"]);
    expect(gate.open.size).toBe(0);
  });

  test("a retransmission is known as one, and a sequence that is done is not begun anew", () => {
    for (const at of [0, 1, 2]) knock(at);
    jumps();
    clock.advance(3000);
    repeat(2);
    expect(outcomes.at(-1)).toBe("repeated");
  });

  test("while a door is open: it closes when its time has run out, to the tenth of a second", async () => {
    await opened();
    clock.advance(10_000);
    jumps();
    clock.advance(19_900);
    expect(granter.liveGrants()).toHaveLength(1);
    expect(events.map(({ kind }) => kind)).toEqual(["added"]);
    clock.advance(200);
    expect(granter.liveGrants()).toEqual([]);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "expired"]);
  });

  test("while a door is open: a renewal lasts as long as it says, and is told in the time of the wall", async () => {
    await opened();
    jumps();
    clock.advance(20_000);
    await opened();
    expect(events[1]).toMatchObject({ kind: "renewed", untilWallMicros: clock.wallMicros() + 30e6 });
    clock.advance(29_900);
    expect(granter.liveGrants()).toHaveLength(1);
    clock.advance(200);
    expect(granter.liveGrants()).toEqual([]);
  });

  test("while the closing sequence is knocked: it closes", async () => {
    await opened();
    clock.advance(1000);
    knock(2);
    jumps();
    clock.advance(1000);
    knock(1);
    await granter.settled();
    expect(gate.open.size).toBe(0);
  });

  test("while nftables fails: the grant is tried again for as long as ever", async () => {
    gate.broken = new Error("nftables refused");
    await opened();
    jumps();
    await clock.advanceAsync(4000, 100);
    gate.broken = undefined;
    await clock.advanceAsync(1000, 100);
    expect(events).toMatchObject([{ kind: "added" }]);
  });
});

async function opened(): Promise<void> {
  for (const at of [0, 1, 2]) knock(at);
  await granter.settled();
}

/** A packet of its own for a step, stamped by the kernel and read now. */
function knock(step: number, stampMicros = clock.wallMicros()): void {
  packets++;
  receive(step, stampMicros);
}

/** The packet of the last knock once more. */
function repeat(step: number): void {
  receive(step, clock.wallMicros());
}

function receive(step: number, stampMicros: number): void {
  const { protocol, port } = portOfKey(policy.opensBy.steps[step] ?? 0);
  const identity = { sourcePort: 40_000 + packets, sequenceNumber: packets };
  const atMicros = stamps.monotonic(stampMicros);
  tracker.observe(sampleKnock({ atMicros, stampMicros, protocol: protocolNumber[protocol], port, ...identity }));
}
