import { describe, expect, test } from "vitest";
import type { Sequence } from "../../../src/policy/policy.ts";
import { KnockTracker } from "../../../src/sequence/knock-tracker.ts";
import type { Completion } from "../../../src/sequence/outcome.ts";
import { knocksOf } from "../../fake/knock-script.ts";
import { playedTracker } from "../../fake/played-tracker.ts";
import { policyOf, portKeys, sequenceOf } from "../../fake/policies.ts";

/** How often a script opens the door of a sequence. */
function opens(steps: string, script: string, changes: Partial<Sequence> = {}): number {
  return playedTracker([policyOf("test/door", sequenceOf(steps, changes))]).play(script).completions.length;
}

describe("a sequence of three steps", () => {
  test.each([
    { name: "the steps in order open", knocks: "7000 8000 9000", times: 1 },
    { name: "a wrong order does not", knocks: "8000 7000 9000", times: 0 },
    { name: "a missing step does not", knocks: "7000 9000", times: 0 },
    { name: "the wrong protocol does not", knocks: "7000 8000/udp 9000", times: 0 },
    { name: "twice the steps open twice", knocks: "7000 8000 9000 7000 8000 9000", times: 2 },
    { name: "ports that nobody watches are ignored", knocks: "7000 1 8000 2/udp 9000", times: 1 },
    { name: "another step resets", knocks: "7000 9000 8000 9000", times: 0 },
    { name: "a decoy resets", knocks: "7000 7001 8000 9000", times: 0 },
    { name: "a decoy just before the last step resets", knocks: "7000 8000 7001 9000", times: 0 },
    { name: "a decoy of the other protocol is none", knocks: "7000 7001/udp 8000 9000", times: 1 },
    { name: "a reset by the first step starts afresh", knocks: "7000 8000 7000 8000 9000", times: 1 },
    { name: "after a reset the next try succeeds", knocks: "7000 7001 8000 9000 7000 8000 9000", times: 1 },
    { name: "in time, by one microsecond", knocks: "7000@0s 8000 9000@14999999us", times: 1 },
    { name: "the window has just ended", knocks: "7000@0s 8000 9000@15s", times: 0 },
    { name: "the window counts from the first knock", knocks: "7000@0s 8000@10s 9000@20s", times: 0 },
    { name: "time that goes back ends the progress", knocks: "7000@0s 8000@1s 9000@-1us", times: 0 },
    { name: "a late first step starts afresh", knocks: "7000@0s 7000@20s 8000 9000", times: 1 },
    { name: "the first step again restarts the clock", knocks: "7000@0s 7000@14s 8000 9000@28s", times: 1 },
  ])("$name", ({ knocks, times }) => {
    expect(opens("7000 8000 9000", knocks, { decoys: portKeys("7001") })).toBe(times);
  });
});

describe("packets that come again", () => {
  test.each([
    { name: "a packet seen twice counts once", knocks: "7000#1 7000#1 8000#2 8000#2 9000#3 9000#3", times: 1 },
    { name: "a retransmitted first step does not reset", knocks: "7000#1 8000 7000#1 9000", times: 1 },
    {
      name: "a retransmission is known for less than the window",
      knocks: "7000#1@0s 8000@14s 7000#1@14999ms 9000",
      times: 0,
    },
    {
      name: "a retransmission after the completion begins nothing",
      knocks: "7000#1 8000 9000 7000#1 8000 9000",
      times: 1,
    },
    { name: "a retransmission after a reset begins nothing", knocks: "7000#1 8000 7001 7000#1 8000 9000", times: 0 },
    { name: "after the window it is a new knock", knocks: "7000#1@0s 8000 9000 7000#1@15s 8000 9000", times: 2 },
    {
      name: "the step last accepted from a second socket changes nothing",
      knocks: "7000 8000 8000 9000 9000",
      times: 1,
    },
    {
      name: "and its retransmission is known",
      knocks: "7000 8000#1 8000#2 9000#3 8000#2 8000#1 9000#3 7000 8000 9000",
      times: 2,
    },
    {
      name: "late retransmissions do not disturb the next round",
      knocks: "7000#1 8000#2 9000#3 7000#4 7000#1 8000#2 8000#5 9000#3 7000#1 9000#6",
      times: 2,
    },
    {
      name: "UDP packets are told apart by their IP id",
      knocks: "7000 8000 9000/udp#1 7000 8000 9000/udp#2",
      times: 0,
    },
  ])("$name", ({ knocks, times }) => {
    expect(opens("7000 8000 9000", knocks, { decoys: portKeys("7001") })).toBe(times);
  });

  test("connects that are retried for 15 s give one completion and no second round", () => {
    const retries = [0, 1, 3, 7, 15].flatMap((second) =>
      [7000, 8000, 9000].map((port, at) => `${port}#${at}@${second * 1000 + at * 10}ms`),
    );
    expect(opens("7000 8000 9000", retries.join(" "))).toBe(1);
  });

  test("a UDP packet is known by source port, length, checksum and IP id", () => {
    const steps = "7000/udp 8000/udp";
    expect(opens(steps, "7000/udp#1 8000/udp#2 7000/udp#1 8000/udp#2")).toBe(1);
    expect(opens(steps, "7000/udp#1 8000/udp#2 7000/udp#3 8000/udp#4")).toBe(2);
  });
});

describe("a sequence that names a port more than once", () => {
  test.each([
    { name: "twice in a row, by two packets", steps: "7000 7000 8000", knocks: "7000 7000 8000", times: 1 },
    {
      name: "twice in a row, not by one packet seen twice",
      steps: "7000 7000 8000",
      knocks: "7000#1 7000#1 8000",
      times: 0,
    },
    { name: "a third packet changes nothing", steps: "7000 7000 8000", knocks: "7000 7000 7000 8000", times: 1 },
    { name: "first and last", steps: "7000 8000 7000", knocks: "7000 8000 7000", times: 1 },
    {
      name: "first and last, not by a retransmission",
      steps: "7000 8000 7000",
      knocks: "7000#1 8000 7000#1",
      times: 0,
    },
    {
      name: "a second round after first and last",
      steps: "7000 8000 7000",
      knocks: "7000 8000 7000 7000 8000 7000",
      times: 2,
    },
    {
      name: "UDP over IPv6 from two source ports",
      steps: "7000/udp 7000/udp",
      knocks: "7000/udp#1<2001:db8::1 7000/udp#2<2001:db8::1",
      times: 1,
    },
  ])("$name", ({ steps, knocks, times }) => {
    expect(opens(steps, knocks)).toBe(times);
  });
});

describe("who and what counts", () => {
  test.each([
    { name: "SYN with ACK is as if not sent", knocks: "7000 7001!syn,ack 8000!syn,ack 8000 9000", times: 1 },
    { name: "a TCP knock without SYN is as if not sent", knocks: "7000 8000!fin 9000", times: 0 },
    { name: "another target is as if not knocked on", knocks: "7000 8000>192.0.2.2 9000", times: 0 },
    { name: "another target's decoy does not reset", knocks: "7000 7001>192.0.2.2 8000 9000", times: 1 },
    { name: "a source that may not knock", knocks: "7000<203.0.113.1 8000<203.0.113.1 9000<203.0.113.1", times: 0 },
    {
      name: "a source of a family that may not knock",
      knocks: "7000<2001:db8::1 8000<2001:db8::1 9000<2001:db8::1",
      times: 0,
    },
    { name: "steps of two sources do not add up", knocks: "7000 8000<198.51.100.2 9000", times: 0 },
    { name: "another source's decoy does not reset", knocks: "7000 7001<198.51.100.2 8000 9000", times: 1 },
  ])("$name", ({ knocks, times }) => {
    const changes = {
      decoys: portKeys("7001"),
      target: Uint32Array.of(0, 0, 0xffff, 0xc0000201),
      sources: [{ address: Uint32Array.of(0, 0, 0xffff, 0xc6336400), prefixBits: 120 }],
    };
    expect(opens("7000 8000 9000", knocks, changes)).toBe(times);
  });

  test("UDP knocks are not held to TCP flags", () => {
    expect(opens("7000/udp 8000 9000/udp", "7000/udp 8000 9000/udp")).toBe(1);
  });

  test("addresses that differ only in their first words are told apart", () => {
    expect(opens("7000 8000", "7000<2001:db8::1 8000<2001:db9::1")).toBe(0);
    expect(opens("7000 8000", "7000<::c633:6401 8000<198.51.100.1")).toBe(0);
  });
});

describe("a spoofed packet with the victim's address", () => {
  test.each([
    { name: "a stale first step does not make the real one late", knocks: "7000@0s 7000@14s 8000@15s 9000@16s" },
    { name: "after a spoofed decoy the next try succeeds", knocks: "7000 7001 8000 9000 7000 8000 9000" },
    { name: "after spoofed steps the next try succeeds", knocks: "7000 8000 7000 8000 9000" },
    { name: "after a spoofed last step the next try succeeds", knocks: "9000 7000 8000 9000" },
  ])("$name", ({ knocks }) => {
    expect(opens("7000 8000 9000", knocks, { decoys: portKeys("7001") })).toBe(1);
  });
});

describe("several policies", () => {
  const ssh = policyOf("test/ssh", sequenceOf("7000 8000 9000", { policy: "00000001", decoys: portKeys("7001 5001") }));
  const web = policyOf("test/web", sequenceOf("5000 8000 6000", { policy: "00000002", decoys: portKeys("5001") }));

  test("ports of another policy are ignored", () => {
    const { completions } = playedTracker([ssh, web]).play("7000 5000 8000 6000 9000");
    expect(completions).toEqual(["test/web open 198.51.100.1", "test/ssh open 198.51.100.1"]);
  });

  test("a policy's decoy resets only that policy", () => {
    const { completions } = playedTracker([ssh, web]).play("7000 5000 7001 8000 6000 9000");
    expect(completions).toEqual(["test/web open 198.51.100.1"]);
  });

  test("a decoy of both resets both", () => {
    expect(playedTracker([ssh, web]).play("7000 5000 5001 8000 6000 9000").completions).toEqual([]);
  });
});

describe("a policy that is also closed by knocks", () => {
  const closing = sequenceOf("9000 8000 7000", { action: "close", decoys: portKeys("9001") });
  const door = policyOf("test/door", sequenceOf("7000 8000 9000", { decoys: portKeys("7001") }), closing);

  test("opening and closing are followed independently", () => {
    const { completions } = playedTracker([door]).play("7000 8000 9000 8000 7000");
    expect(completions).toEqual(["test/door open 198.51.100.1", "test/door close 198.51.100.1"]);
  });

  test("a decoy of one does not reset the other", () => {
    const { completions } = playedTracker([door]).play("7000 9001 8000 9000");
    expect(completions).toEqual(["test/door open 198.51.100.1"]);
  });
});

test("outcomes are told with the steps done", () => {
  const played = playedTracker([policyOf("test/door", sequenceOf("7000 8000 9000", { decoys: portKeys("7001") }))]);
  const { outcomes } = played.play(
    "8000 7000#1 7000#1 8000 7000 7001 7000@0s 8000@15s 7000 7000@40s 8000 9000#2 9000#2 9000!ack",
  );
  expect(outcomes).toEqual([
    "ignored 0",
    "advanced 1",
    "repeated 1",
    "advanced 2",
    "reset 1",
    "reset 0",
    "advanced 1",
    "expired 0",
    "advanced 1",
    "expired 1",
    "advanced 2",
    "completed 3",
    "repeated 0",
    "ignored 0",
  ]);
});

test("a completion has a copy of the source, and the time and the packet of the last knock", () => {
  const completions: Completion[] = [];
  const report = { outcome: () => {}, evicted: () => {} };
  const engine = new KnockTracker({ maxSources: 10, report, complete: (completion) => completions.push(completion) });
  const door = policyOf("test/door", sequenceOf("7000"));
  engine.usePolicies([door]);
  for (const knock of knocksOf("7000@5s")) {
    engine.observe(knock);
    knock.source.fill(0);
  }
  const packet = expect.stringMatching(/^\d+\.\d+\.\d+$/);
  const source = Uint32Array.of(0, 0, 0xffff, 0xc6336401);
  expect(completions).toEqual([{ policy: door, action: "open", source, packet, atMicros: 1_005_000_000 }]);
});
