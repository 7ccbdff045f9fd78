import { describe, expect, test } from "vitest";
import { playedTracker } from "../../fake/played-tracker.ts";
import { policyOf, sequenceOf } from "../../fake/policies.ts";

const door = policyOf("test/door", sequenceOf("7000 8000 9000"));
const oneKnock = policyOf("test/one", sequenceOf("5000", { policy: "00000002" }));

/** The script from each of `count` addresses, one after the other. */
function fromMany(count: number, script: string, address = (at: number) => `10.0.${at >>> 8}.${at & 255}`) {
  return Array.from({ length: count }, (_, at) => script.replaceAll("$", `<${address(at)}`)).join(" ");
}

describe("the table's bound", () => {
  test("holds, half for first steps", () => {
    const played = playedTracker([door], 100);
    played.play(fromMany(500, "7000$"));
    expect(played.engine.trackedSources).toBe(50);
    expect(played.evicted).toBe(450);
  });

  test("holds, half for those further on", () => {
    const played = playedTracker([door], 100);
    played.play(fromMany(500, "7000$ 8000$"));
    expect(played.engine.trackedSources).toBe(50);
    played.play(fromMany(500, "7000$", (at) => `10.1.${at >>> 8}.${at & 255}`));
    expect(played.engine.trackedSources).toBe(100);
    expect(played.engine.trackedSourcesLimit).toBe(100);
  });

  test("a flood of first steps does not displace a source that is half through", () => {
    const played = playedTracker([door], 100);
    played.play("7000 8000");
    played.play(fromMany(5000, "7000$"));
    expect(played.play("9000@1s#9").completions).toEqual(["test/door open 198.51.100.1"]);
  });

  test("a flood of completed one-step sequences does not displace a source that is half through", () => {
    const played = playedTracker([door, oneKnock], 100);
    played.play("7000 8000");
    played.play(fromMany(500, "5000$"));
    expect(played.play("9000@1s#9").completions).toHaveLength(1);
  });

  test("of the first steps the one used longest ago goes", () => {
    const played = playedTracker([door], 4);
    played.play("7000<10.0.0.1 7000<10.0.0.2 7000<10.0.0.1 7000<10.0.0.3");
    const { completions } = played.play("8000<10.0.0.1 9000<10.0.0.1 8000<10.0.0.2 9000<10.0.0.2");
    expect(completions).toEqual(["test/door open 10.0.0.1"]);
  });

  test("whoever is reset is again among the first steps", () => {
    const played = playedTracker([door], 4);
    played.play("7000<10.0.0.1 8000<10.0.0.1 7000<10.0.0.1 7000<10.0.0.2 7000<10.0.0.3 7000<10.0.0.4");
    expect(played.play("8000<10.0.0.1 9000<10.0.0.1").completions).toEqual([]);
  });

  test("a table of one source still lets one source in", () => {
    const played = playedTracker([door], 1);
    expect(played.play(fromMany(20, "7000$ 8000$ 9000$")).completions).toHaveLength(20);
    expect(played.engine.trackedSources).toBeLessThanOrEqual(2);
  });
});

describe("the bound of an IPv6 /64", () => {
  const inPrefix = (at: number) => `2001:db8::${(at + 1).toString(16)}`;

  test("is 16 entries", () => {
    const played = playedTracker([door], 1000);
    played.play(fromMany(100, "7000$", inPrefix));
    expect(played.engine.trackedSources).toBe(16);
    expect(played.evicted).toBe(84);
  });

  test("does not count neighbouring prefixes, nor IPv4", () => {
    const played = playedTracker([door], 1000);
    played.play(fromMany(100, "7000$", (at) => `2001:db8:0:${at.toString(16)}::1`));
    played.play(fromMany(100, "7000$"));
    expect(played.engine.trackedSources).toBe(200);
  });

  test("first steps go before those further on, and the oldest of them first", () => {
    const played = playedTracker([door], 1000);
    played.play("7000<2001:db8::a:1 8000<2001:db8::a:1 7000<2001:db8::a:2");
    played.play(fromMany(40, "7000$@1s", inPrefix));
    const last = "8000<2001:db8::a:2 9000<2001:db8::a:2 9000<2001:db8::a:1 8000<2001:db8::28 9000<2001:db8::28";
    const { completions } = played.play(last);
    expect(completions).toEqual(["test/door open 2001:db8::a:1", "test/door open 2001:db8::28"]);
  });

  test("the oldest goes where all are further on", () => {
    const played = playedTracker([door], 1000);
    played.play(fromMany(17, "7000$ 8000$", inPrefix));
    expect(played.engine.trackedSources).toBe(16);
    expect(played.play(fromMany(17, "9000$@1s", inPrefix)).completions).toHaveLength(16);
  });
});

describe("what is dead", () => {
  test("is cleared away, a few with each knock, and not counted as thrown out", () => {
    const played = playedTracker([door], 1000);
    played.play(fromMany(100, "7000$"));
    played.play(fromMany(100, "7000$ 8000$ 9000$", (at) => `10.1.0.${at}`));
    expect(played.engine.trackedSources).toBe(200);
    played.play("1@74s 1 1");
    expect(played.engine.trackedSources).toBe(200);
    played.play("1@76s 1 1 1 1 1 1 1 1 1 1 1 1 1");
    expect(played.engine.trackedSources).toBe(0);
    expect(played.evicted).toBe(0);
  });

  test("is not counted when it must go at once", () => {
    const played = playedTracker([door], 10);
    played.play(fromMany(5, "7000$"));
    played.play(fromMany(5, "7000$@16s", (at) => `10.1.0.${at}`));
    expect(played.evicted).toBe(0);
  });

  test("goes with its sequence", () => {
    const played = playedTracker([door], 1000);
    played.play(fromMany(5, "7000$"));
    played.engine.usePolicies([oneKnock]);
    played.play("1@80s");
    expect(played.engine.trackedSources).toBe(0);
  });
});
