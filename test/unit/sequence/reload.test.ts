import { expect, test } from "vitest";
import { KnockTracker } from "../../../src/sequence/knock-tracker.ts";
import { knocksOf } from "../../fake/knock-script.ts";
import { playedTracker } from "../../fake/played-tracker.ts";
import { policyOf, sequenceOf } from "../../fake/policies.ts";

const ssh = policyOf("test/ssh", sequenceOf("7000 8000 9000"));
const web = policyOf("test/web", sequenceOf("5000 6000", { policy: "00000002" }));
const long = policyOf("test/long", sequenceOf("1 2 3 4 5 6 7 8 9 10 11 12", { policy: "00000003" }));

test("a reload keeps the progress of unchanged policies, wherever they stand", () => {
  const played = playedTracker([ssh, web]);
  played.play("7000 5000 8000");
  played.engine.usePolicies([long, web, { ...ssh }]);
  const { completions } = played.play("9000@1s#7 6000#8");
  expect(completions).toEqual(["test/ssh open 198.51.100.1", "test/web open 198.51.100.1"]);
});

test("a reload keeps what is known of retransmissions", () => {
  const played = playedTracker([ssh]);
  played.play("7000#1 8000#2 9000#3");
  played.engine.usePolicies([long, ssh]);
  expect(played.play("7000#1@1s 8000#2 9000#3").outcomes).toEqual(["repeated 0", "repeated 0", "repeated 0"]);
});

test("a changed policy begins anew", () => {
  const played = playedTracker([ssh]);
  played.play("7000 8000");
  played.engine.usePolicies([policyOf("test/ssh", sequenceOf("7000 8000 9000", { withinMicros: 10_000_000 }))]);
  expect(played.play("9000#7").outcomes).toEqual(["ignored 0"]);
});

test("a policy that was away begins anew", () => {
  const played = playedTracker([ssh]);
  played.play("7000 8000");
  played.engine.usePolicies([web]);
  expect(played.play("9000#7").outcomes).toEqual([]);
  played.engine.usePolicies([ssh]);
  expect(played.play("9000#8").outcomes).toEqual(["ignored 0"]);
});

test("a completion names the policy as it is now", () => {
  const completed: unknown[] = [];
  const report = { outcome: () => {}, evicted: () => {} };
  const engine = new KnockTracker({ maxSources: 10, report, complete: ({ policy }) => completed.push(policy) });
  engine.usePolicies([ssh]);
  const [first, ...others] = knocksOf("7000 8000 9000");
  if (first !== undefined) engine.observe(first);
  const again = { ...ssh };
  engine.usePolicies([again]);
  for (const knock of others) engine.observe(knock);
  expect(completed[0]).toBe(again);
});

test("sequences of 12 steps arrive and go, and the memory for them is given back", () => {
  const report = { outcome: () => {}, evicted: () => {} };
  const engine = new KnockTracker({ maxSources: 60_000, report, complete: () => {} });
  engine.usePolicies([ssh, long]);
  const before = engine.bytes;
  const [knock] = knocksOf("1");
  if (knock === undefined) throw new Error("no knock");
  for (let at = 0; at < 20_000; at++) {
    knock.source[3] = at;
    engine.observe(knock);
  }
  const full = engine.bytes;
  for (let at = 0; at < 20_000; at++) engine.observe({ ...knock, atMicros: knock.atMicros + 80_000_000, port: 60_000 });
  expect(engine.trackedSources).toBe(0);
  expect(full).toBeGreaterThan(2 * 8192 * 80 * 4);
  expect(engine.bytes - before).toBe((full - before) / 3);
});
