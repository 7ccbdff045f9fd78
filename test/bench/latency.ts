import { setTimeout as pause } from "node:timers/promises";
import { type Goal, KnockContest, type Rival } from "./knock-contest.ts";
import { randomFrom } from "./odds.ts";

/** What so many knocks on one rival's gate took, in milliseconds. */
export interface LatencyFigure {
  readonly goal: Goal;
  readonly rival: Rival;
  readonly knocks: number;
  /** Knocks whose goal was reached; the others count nowhere else. */
  readonly reached: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly leastMs: number;
  readonly mostMs: number;
}

/** How much quicker than knockd, by the medians. */
export interface LatencyVerdict {
  readonly goal: Goal;
  readonly ratio: number;
  /** Of the time until the element: a median under 3 ms, and at most a tenth of knockd's. */
  readonly isAsExpected: boolean;
}

export const goals: readonly Goal[] = ["element", "connection"];
const rivals: readonly Rival[] = ["knockgate", "knockd"];

/** Expected of the time from the last knock to the element in the kernel's set. */
export const expectedMedianMs = 3;
export const expectedRatio = 10;

/**
 * Knocks on both gates in turn, so that what else the machine does disturbs both alike. No knock is left out: the first
 * ones meet code that has not run before, as the rare knock on a real gate does. The pauses between knocks are uneven, so
 * that they do not keep in step with knockd's capture, which hands packets over in blocks.
 */
export async function latencyFigures(knocks: number, progress: (text: string) => void): Promise<LatencyFigure[]> {
  const contests = new Map<Rival, KnockContest>();
  try {
    for (const rival of rivals) contests.set(rival, await KnockContest.begin(rival));
    const random = randomFrom(1);
    const figures: LatencyFigure[] = [];
    for (const goal of goals) {
      const times = new Map<Rival, (number | undefined)[]>(rivals.map((rival) => [rival, []]));
      for (let knock = 1; knock <= knocks; knock++) {
        for (const [rival, contest] of contests) {
          times.get(rival)?.push(await contest.measure(goal));
          await pause(20 + 40 * random());
        }
        if (knock % 50 === 0) progress(`time to the ${goal}: ${knock} of ${knocks} knocks on each gate`);
      }
      for (const rival of rivals) figures.push(figureOf(goal, rival, times.get(rival) ?? []));
    }
    return figures;
  } finally {
    for (const contest of contests.values()) await contest.end();
  }
}

/** Compares the medians of one goal. */
export function verdictOf(goal: Goal, figures: readonly LatencyFigure[]): LatencyVerdict {
  const medianOf = (rival: Rival) =>
    figures.find((figure) => figure.goal === goal && figure.rival === rival)?.medianMs ?? Number.NaN;
  const ratio = medianOf("knockd") / medianOf("knockgate");
  return { goal, ratio, isAsExpected: medianOf("knockgate") < expectedMedianMs && ratio >= expectedRatio };
}

function figureOf(goal: Goal, rival: Rival, times: readonly (number | undefined)[]): LatencyFigure {
  const sorted = times.filter((time) => time !== undefined).sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return {
    goal,
    rival,
    knocks: times.length,
    reached: sorted.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    leastMs: sorted[0] ?? Number.NaN,
    mostMs: sorted.at(-1) ?? Number.NaN,
  };
}
