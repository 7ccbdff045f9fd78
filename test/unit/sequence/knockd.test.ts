import { describe, expect, test } from "vitest";
import { parseAddress } from "../../../src/policy/address.ts";
import { KnockTracker } from "../../../src/sequence/knock-tracker.ts";
import { knocksOf } from "../../fake/knock-script.ts";
import { playedTracker } from "../../fake/played-tracker.ts";
import { policyOf, sequenceOf } from "../../fake/policies.ts";

/** A door of a knockd.conf by that name. */
function door(name: string, steps: string, changes = {}) {
  return policyOf(`knockd/${name}`, sequenceOf(steps, { matching: "Knockd", decoys: [], ...changes }));
}

const opened = (script: string, ...doors: readonly ReturnType<typeof door>[]) =>
  playedTracker(doors).play(script).completions;
const ssh = "knockd/ssh open 198.51.100.1";

describe("what knockd's table of consequences says", () => {
  test.each([
    { script: "7000 8000 9000", opens: 1 },
    { script: "7000 7000 8000 9000", opens: 0 },
    { script: "7000 7000 7000 8000 9000", opens: 1 },
    { script: "7000 8000 8000 8000 9000", opens: 0 },
    { script: "7000 8000 9000 9000", opens: 1 },
    { script: "7000 1234 8000 9000", opens: 1 },
    { script: "7000 8000/udp 8000 9000", opens: 1 },
    { script: "7000 9000 7000 8000 9000", opens: 1 },
    { script: "7000 8000 7000 8000 9000", opens: 0 },
  ])("$script opens $opens times", ({ script, opens }) => {
    expect(opened(script, door("ssh", "7000 8000 9000"))).toEqual(Array(opens).fill(ssh));
  });
});

describe("what knockd does wrong and Knockgate does not", () => {
  test("a stranger's attempt that ends takes nobody else's with it", () => {
    const script = "7000<192.0.2.9 7000 9999<192.0.2.9 8000<192.0.2.9 7000<192.0.2.9 8000 9000";
    expect(opened(script, door("ssh", "7000 8000 9000"), door("other", "9999 1"))).toEqual([ssh]);
  });

  test("a sequence that completes two doors opens both, in any order of the doors", () => {
    const [short, long] = [door("short", "7000 8000"), door("long", "7000 8000 9000")];
    const both = ["knockd/short open 198.51.100.1", "knockd/long open 198.51.100.1"];
    expect(opened("7000 8000 9000", short, long)).toEqual(both);
    expect(opened("7000 8000 9000", long, short)).toEqual(both);
  });

  test("less than the timeout is in time and the timeout itself is late, whatever the phase of the clock", () => {
    const quick = door("ssh", "7000 8000", { withinMicros: 1e6 });
    expect(opened("7000@0s 8000@999999us", quick)).toEqual([ssh]);
    expect(opened("7000@0s 8000@1s", quick)).toEqual([]);
  });

  test("forged sources cost no more than the bound, and are counted", () => {
    const played = playedTracker([door("ssh", "7000 8000")], 100);
    for (let host = 0; host < 1000; host++) played.play(`7000<203.0.${host >> 8}.${host & 255}`);
    expect(played.engine.trackedSources).toBeLessThanOrEqual(100);
    expect(played.evicted).toBe(1000 - played.engine.trackedSources);
  });

  test("an entry thrown out while a knock is followed does no harm", () => {
    const doors = Array.from({ length: 40 }, (_, at) => door(`d${at}`, `7000 ${8000 + at}`));
    const { completions } = playedTracker(doors, 8).play("7000<2001:db8::1 7000<2001:db8::2 8039<2001:db8::2");
    expect(completions).toEqual(["knockd/d39 open 2001:db8::2"]);
  });
});

test("what is over takes no room: many neighbours of an IPv6 network knock one after the other", () => {
  const doors = [door("a", "7000 8000"), door("b", "7000 8100")];
  const played = playedTracker(doors);
  for (let client = 1; client <= 40; client++) {
    const source = `2001:db8::${client.toString(16)}`;
    const { completions } = played.play(`7000<${source} 8000<${source}`);
    expect(completions).toEqual([`knockd/a open ${source}`]);
  }
  expect([played.engine.trackedSources, played.evicted]).toEqual([0, 0]);
});

test("a late first step begins afresh, and a late later one starts nothing", () => {
  const { outcomes } = playedTracker([door("ssh", "7000 8000", { withinMicros: 1e6 })]).play(
    "7000@0s 7000@2s 8000@4s 8000@5s",
  );
  expect(outcomes).toEqual(["advanced 1", "expired 1", "expired 0", "ignored 0"]);
});

test("doors of knockd.conf and tolerant policies do not disturb each other", () => {
  const tolerant = policyOf("test/web", sequenceOf("7000 5000 6000"));
  const both = [door("ssh", "7000 8000 9000"), tolerant];
  expect(opened("7000 5000 8000 6000 9000", ...both)).toEqual(["test/web open 198.51.100.1", ssh]);
});

test("a target that is no address of this host counts for the door that names it alone", () => {
  const completions: string[] = [];
  const tracker = new KnockTracker({
    maxSources: 100,
    report: { outcome: () => {}, evicted: () => {} },
    complete: ({ policy }) => completions.push(policy.name),
    isLocal: (target) => target[3] === parseAddress("192.0.2.1")?.[3],
  });
  const target = parseAddress("192.0.2.99");
  tracker.usePolicies([
    door("forward", "7000 8000", { target }),
    door("own", "7000 8000"),
    policyOf("test/tolerant", sequenceOf("7000 8000", { target })),
  ]);
  for (const knock of knocksOf("7000>192.0.2.99 8000>192.0.2.99")) tracker.observe(knock);
  expect(completions).toEqual(["knockd/forward"]);
});
