import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Knock } from "../../src/decode/knock.ts";
import { formatAddress } from "../../src/policy/address.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import { policyOf, sequenceOf } from "../fake/policies.ts";
import { ReferenceTracker } from "../fake/reference-tracker.ts";

const windowMicros = 15_000_000;

/** Few ports, few packets and few sources, so that they meet often. */
const ports = [1, 2, 3, 4, 5, 65536 + 1, 65536 + 2];
const sources = [
  [0, 0, 0xffff, 1],
  [0, 0, 0xffff, 2],
  [0x20010db8, 0, 0, 1],
  [0x20010db8, 0, 0, 2],
];

const steps = fc.array(fc.constantFrom(...ports), { minLength: 1, maxLength: 5 });

const sequence = fc.record({ steps, decoys: fc.array(fc.constantFrom(...ports), { maxLength: 3 }) });

const policies: fc.Arbitrary<Policy[]> = fc
  .array(fc.record({ opens: sequence, closes: fc.option(sequence) }), { minLength: 1, maxLength: 4 })
  .map((drawn) =>
    drawn.map(({ opens, closes }, at) => {
      const [policy, name] = [`0000000${at}`, `test/${at}`];
      const withoutSteps = (of: { steps: number[]; decoys: number[] }) =>
        of.decoys.filter((key) => !of.steps.includes(key));
      const opening = sequenceOf("", { policy, steps: opens.steps, decoys: [...new Set(withoutSteps(opens))] });
      if (closes === null) return policyOf(name, opening);
      const closing = { action: "close" as const, steps: closes.steps, decoys: [...new Set(withoutSteps(closes))] };
      return policyOf(name, opening, sequenceOf("", { policy, ...closing }));
    }),
  );

/** Steps in time that come close to the window's end now and then, and go back now and then. */
const pause = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 3_000_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(windowMicros - 1, windowMicros, windowMicros + 1, -1, -2_000_000, 500) },
);

const knock = fc.record({
  /** Undefined: the step after the one this source knocked on last, of the first policy. */
  key: fc.option(fc.constantFrom(...ports), { nil: undefined, freq: 2 }),
  packet: fc.integer({ min: 0, max: 6 }),
  source: fc.nat({ max: sources.length - 1 }),
  pause,
  flags: fc.constantFrom<number>(2, 2, 2, 2, 2, 18),
});

type DrawnKnock = typeof knock extends fc.Arbitrary<infer T> ? T : never;

/** The knocks in time. */
function knocksFrom(drawn: readonly DrawnKnock[], steps: readonly number[] = [1]): Knock[] {
  let atMicros = 5_000_000_000;
  const next = sources.map(() => 0);
  return drawn.map(({ key: drawnKey, packet, source, pause, flags }) => {
    atMicros += pause;
    const key = drawnKey ?? steps[(next[source] ?? 0) % steps.length] ?? 1;
    next[source] = Math.max(0, steps.indexOf(key, next[source] ?? 0)) + 1;
    const udp = key >= 65536;
    return {
      atMicros,
      stampMicros: atMicros,
      source: Uint32Array.from(sources[source] ?? []),
      target: Uint32Array.of(0, 0, 0xffff, 9),
      protocol: udp ? 17 : 6,
      port: key & 0xffff,
      sourcePort: 1000 + packet,
      flags: udp ? 0 : flags,
      sequenceNumber: udp ? 589_824 : 4_000_000_000 + packet,
      ipId: udp ? packet : 0,
    };
  });
}

/** A tracker that answers each knock as the reference does. */
function answeringTracker(maxSources = 100) {
  let answers: string[] = [];
  const completions: string[] = [];
  let all: readonly Policy[] = [];
  const tracker = new KnockTracker({
    maxSources,
    report: {
      outcome: (kind, of, step) => {
        const name = all.find(({ opensBy, closesBy }) => opensBy === of || closesBy === of)?.name;
        answers.push(`${name} ${of.action} ${kind} ${step}`);
      },
      evicted: () => {},
    },
    complete: ({ policy, source, action }) => completions.push(`${policy.name} ${action} ${formatAddress(source)}`),
  });
  return {
    tracker,
    completions,
    usePolicies(next: readonly Policy[]) {
      all = next;
      tracker.usePolicies(next);
    },
    observe(one: Knock): string[] {
      answers = [];
      tracker.observe(one);
      return answers;
    },
  };
}

describe("the tracker", () => {
  test("agrees with the reference, knock by knock", () => {
    fc.assert(
      fc.property(policies, fc.array(knock, { maxLength: 60 }), (all, drawn) => {
        const [tracker, reference] = [answeringTracker(), new ReferenceTracker()];
        tracker.usePolicies(all);
        reference.usePolicies(all);
        for (const one of knocksFrom(drawn, all[0]?.opensBy.steps))
          expect(tracker.observe(one)).toEqual(reference.observe(one));
      }),
      { numRuns: 600 },
    );
  });

  test("agrees with the reference over a reload", () => {
    fc.assert(
      fc.property(policies, policies, fc.array(knock, { maxLength: 30 }), fc.nat(30), (one, other, drawn, cut) => {
        const [tracker, reference] = [answeringTracker(), new ReferenceTracker()];
        const half = one.slice(0, one.length >> 1);
        const kept = [...other.filter(({ name }) => half.every((policy) => policy.name !== name)), ...half];
        for (const [at, next] of knocksFrom(drawn, one[0]?.opensBy.steps).entries()) {
          if (at === 0 || at === cut) for (const of of [tracker, reference]) of.usePolicies(at === 0 ? one : kept);
          expect(tracker.observe(next)).toEqual(reference.observe(next));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("what one source gets does not depend on the others", () => {
    fc.assert(
      fc.property(policies, fc.array(knock, { maxLength: 60 }), (all, drawn) => {
        const [together, alone] = [answeringTracker(), answeringTracker()];
        for (const of of [together, alone]) of.usePolicies(all);
        const knocks = knocksFrom(drawn, all[0]?.opensBy.steps);
        for (const one of knocks) together.observe(one);
        for (const one of knocks) if (one.source[3] === 1 && one.source[2] === 0xffff) alone.observe(one);
        expect(together.completions.filter((line) => line.endsWith(" 0.0.0.1"))).toEqual(alone.completions);
      }),
      { numRuns: 300 },
    );
  });

  test("stays within its bound, whatever comes", () => {
    const source = fc.tuple(fc.boolean(), fc.nat(3), fc.nat(60));
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 2, max: 40 }),
        fc.array(fc.tuple(knock, source), { maxLength: 300 }),
        (all, limit, drawn) => {
          const { tracker, ...engine } = answeringTracker(limit);
          engine.usePolicies(all);
          const knocks = knocksFrom(drawn.map(([one]) => one));
          for (const [at, [, [six, prefix, host]]] of drawn.entries()) {
            const from = six ? Uint32Array.of(0x20010db8, prefix, 0, host) : Uint32Array.of(0, 0, 0xffff, host);
            engine.observe({ ...(knocks[at] as Knock), source: from });
            expect(tracker.trackedSources).toBeLessThanOrEqual(limit);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("a sequence of different ports", () => {
  const different = fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), { minLength: 2, maxLength: 8 });

  function completes(order: readonly number[], of: readonly number[], times: readonly number[]): number {
    const engine = answeringTracker();
    engine.usePolicies([policyOf("test/door", sequenceOf("", { steps: [...of] }))]);
    const drawn = order.map((key, packet) => ({ key, packet, source: 0, pause: 0, flags: 2 }));
    for (const [at, one] of knocksFrom(drawn).entries())
      engine.observe({ ...one, atMicros: 7_000_000_000 + (times[at] ?? 0) });
    return engine.completions.length;
  }

  test("opens in its order and in no other", () => {
    fc.assert(
      fc.property(
        different.chain((of) => fc.tuple(fc.constant(of), fc.shuffledSubarray(of, { minLength: of.length }))),
        ([of, order]) => {
          expect(completes(order, of, [])).toBe(order.join() === of.join() ? 1 : 0);
        },
      ),
    );
  });

  test("opens when the last knock is in time, to the microsecond", () => {
    fc.assert(
      fc.property(different, fc.integer({ min: windowMicros - 3, max: windowMicros + 3 }), (of, elapsed) => {
        const times = of.map((_, at) => (at === of.length - 1 ? elapsed : at));
        expect(completes(of, of, times)).toBe(elapsed < windowMicros ? 1 : 0);
      }),
    );
  });
});
