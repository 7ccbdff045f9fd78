import { type Knock, protocolNumber, tcpFlag } from "../../src/decode/knock.ts";
import { drawDecoys } from "../../src/policy/decoys.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import { policyOf, sequenceOf } from "../fake/policies.ts";
import type { BenchGoal, BenchPart } from "./bench-results.ts";

/** What one run showed. */
export interface MatcherFigure {
  readonly what: string;
  /** By the processor time of this process, so that a busy machine does not count. */
  readonly knocksPerSecond: number;
  readonly completions: number;
  readonly tracked: number;
  readonly bytesPerSource: number;
}

/** Where first, second and third steps begin; a policy's fourth follows its first. */
const bases = [20_000, 40_000, 30_000];

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const knock: Writable<Knock> = {
  atMicros: 0,
  stampMicros: 0,
  source: Uint32Array.of(0, 0, 0xffff, 0),
  target: Uint32Array.of(0, 0, 0xffff, 1),
  protocol: protocolNumber.tcp,
  port: 0,
  sourcePort: 0,
  flags: tcpFlag.syn,
  sequenceNumber: 0,
  ipId: 0,
};

function trackerOf(
  policies: number,
  { steps = 3, maxSources = 1_000_000 } = {},
): { tracker: KnockTracker; counts: { completions: number; outcomes: number } } {
  const counts = { completions: 0, outcomes: 0 };
  const tracker = new KnockTracker({
    maxSources,
    report: { outcome: () => counts.outcomes++, evicted: () => {} },
    complete: () => counts.completions++,
    seed: 1,
  });
  const stepsOf = (at: number) =>
    Array.from({ length: steps }, (_, step) => (bases[step % 3] ?? 0) + 3 * at + Math.floor(step / 3));
  const allSteps = new Set(Array.from({ length: policies }, (_, at) => stepsOf(at)).flat());
  tracker.usePolicies(
    Array.from({ length: policies }, (_, at) => {
      const decoys = drawDecoys(stepsOf(at), 64, (key) => allSteps.has(key));
      return policyOf(
        `bench/${at}`,
        sequenceOf(stepsOf(at).join(" "), { policy: at.toString(16).padStart(8, "0"), decoys }),
      );
    }),
  );
  return { tracker, counts };
}

/** Knocks by `sources` sources one after another, each the next step of its sequence; one in a hundred microseconds. */
function inTurn(policies: number, sources: number, knocks: number): MatcherFigure {
  const { tracker, counts } = trackerOf(policies);
  const began = process.cpuUsage();
  for (let at = 0; at < knocks; at++) {
    const source = at % sources;
    knock.source[3] = source * 7919;
    knock.port = (bases[Math.floor(at / sources) % 3] ?? 0) + 3 * (source % policies);
    knock.sourcePort = at & 0xffff;
    knock.sequenceNumber = at;
    knock.atMicros = at;
    tracker.observe(knock);
  }
  return figure(`${policies} policies, ${sources} sources in turn`, knocks, began, tracker, counts.completions);
}

/** A flood from sources that never come again: of first steps, or of random ports. */
function flood(policies: number, knocks: number, port: (at: number) => number, what: string): MatcherFigure {
  const { tracker, counts } = trackerOf(policies);
  const began = process.cpuUsage();
  for (let at = 0; at < knocks; at++) {
    knock.source[3] = Math.imul(at, 0x9e3779b1);
    knock.port = port(at);
    knock.sequenceNumber = at;
    knock.atMicros = at;
    tracker.observe(knock);
  }
  return figure(`${policies} policies, ${what}`, knocks, began, tracker, counts.completions);
}

function figure(
  what: string,
  knocks: number,
  began: NodeJS.CpuUsage,
  tracker: KnockTracker,
  completions: number,
): MatcherFigure {
  const { user, system } = process.cpuUsage(began);
  const seconds = (user + system) / 1e6;
  return {
    what,
    knocksPerSecond: Math.round(knocks / seconds),
    completions,
    tracked: tracker.trackedSources,
    bytesPerSource: Math.round(tracker.bytes / Math.max(1, tracker.trackedSources)),
  };
}

/** One knock by a source, of which no two are the same packet. */
function stepBy(tracker: KnockTracker): (port: number, source: number, at: number) => void {
  return (port, source, at) => {
    knock.source[3] = source;
    knock.port = port;
    knock.sequenceNumber = at;
    knock.atMicros = at;
    tracker.observe(knock);
  };
}

/** A flood of first steps while as many sources as fit are further on: the table is full. */
function fullTable(knocks: number): MatcherFigure {
  const { tracker, counts } = trackerOf(1);
  const step = stepBy(tracker);
  for (let at = 0; at < 500_000; at++) {
    step(20_000, at, 2 * at);
    step(40_000, at, 2 * at + 1);
  }
  for (let at = 0; at < 500_000; at++) step(20_000, 1_000_000 + at, 1_000_000 + at);
  const began = process.cpuUsage();
  for (let at = 0; at < knocks; at++) step(20_000, 2_000_000 + at, 2_000_000 + at);
  return figure("1 policy, a flood of first steps into a full table", knocks, began, tracker, counts.completions);
}

/** As many sources as a tracker holds, half of them at their first step, in a policy of so many steps. */
function memoryOf(steps: number, sources: number): MatcherFigure {
  const { tracker, counts } = trackerOf(1, { steps, maxSources: sources });
  const began = process.cpuUsage();
  const step = stepBy(tracker);
  for (let at = 0; at < sources / 2; at++) {
    step(20_000, at, 2 * at);
    step(40_000, at, 2 * at + 1);
  }
  for (let at = sources / 2; at < sources; at++) step(20_000, at, sources + at);
  return figure(`1 policy of ${steps} steps, full`, 1.5 * sources, began, tracker, counts.completions);
}

/** Everything measured, in a few seconds. */
export function matcherPart(knocks = 2_000_000): BenchPart {
  inTurn(1, 1_000, knocks); // what runs for the first time is compiled first
  const anyPort = (at: number) => 1 + ((Math.imul(at, 0x85ebca6b) >>> 16) % 65535);
  const curve = [1, 10, 100, 1_000].map((policies) => inTurn(policies, 1_000, knocks));
  const sources = [10_000, 100_000, 1_000_000].map((count) => inTurn(1, count, 3 * Math.max(count, knocks / 3)));
  const memory = [3, 8, 32].map((steps) => memoryOf(steps, 1_000_000));
  const rows = [
    ...curve,
    ...sources,
    inTurn(1_000, 500_000, knocks),
    fullTable(knocks),
    flood(1, knocks, () => 20_000, "a flood of first steps"),
    flood(1_000, knocks, (at) => 20_000 + 3 * (at % 1_000), "a flood of first steps"),
    flood(1, knocks, anyPort, "a flood of random ports"),
    flood(1_000, knocks, anyPort, "a flood of random ports"),
    ...memory,
  ];
  return {
    title: "Matcher alone, one thread",
    measured:
      "Knocks through the tracker alone, by processor time; memory is what its tables take for a tracked source.",
    rows: rows.map((row) => ({ ...row })),
    goals: goalsOf(curve, sources, memory),
  };
}

function goalsOf(
  curve: readonly MatcherFigure[],
  sources: readonly MatcherFigure[],
  memory: readonly MatcherFigure[],
): BenchGoal[] {
  const million = (figure: MatcherFigure | undefined) => `${((figure?.knocksPerSecond ?? 0) / 1e6).toFixed(1)}`;
  const slowest = Math.min(...[...curve, ...sources].map((figure) => figure.knocksPerSecond));
  const bytes = memory.map((figure) => figure.bytesPerSource);
  return [
    {
      work: "Matcher alone, knocks a second on one core",
      ours: `${million(curve[0])} million`,
      target: "≥ 3 million",
      isMet: (curve[0]?.knocksPerSecond ?? 0) >= 3e6,
    },
    {
      work: "Matcher: 1 → 1,000 policies; 1,000 → 1,000,000 sources",
      ours: `${million(curve[0])} → ${million(curve.at(-1))}; ${million(curve[0])} → ${million(sources.at(-1))} million`,
      target: "flat; never below 3 million",
      isMet: slowest >= 3e6,
    },
    {
      work: "Memory for a tracked IPv4 source of 1,000,000; 3, 8, 32 steps",
      ours: `${bytes.join(", ")} bytes`,
      target: "≤ 128 bytes with 3 steps",
      isMet: (bytes[0] ?? Number.NaN) <= 128,
    },
  ];
}
