import { setTimeout as pause } from "node:timers/promises";
import { type BenchGoal, type BenchPart, tellProgress } from "./bench-results.ts";
import { type Aim, KnockContest } from "./knock-contest.ts";
import { randomFrom } from "./odds.ts";
import { type Rival, rivals } from "./rivals.ts";

/** What so many knocks on one rival's gate took, in milliseconds. */
export interface LatencyFigure {
  readonly aim: Aim;
  readonly rival: Rival;
  readonly knocks: number;
  /** Knocks that opened within two seconds; the others count nowhere else. */
  readonly reached: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** All times, sorted. */
  readonly times: readonly number[];
}

/** What a gate is to reach in the time until the element. */
export interface LatencyTarget {
  readonly medianMs: number;
  readonly p99Ms: number;
}

const aims: readonly Aim[] = ["element", "connection"];

/**
 * Knocks on all gates in turn, so that what else the machine does disturbs all alike. No knock is left out: the first
 * ones meet code that has not run before, as the rare knock on a real gate does. The pauses between knocks are uneven, so
 * that they do not keep in step with knockd's capture, which hands packets over in blocks, nor with fwknopd's naps.
 */
export async function idleLatency(knocks: number): Promise<LatencyFigure[]> {
  const contests = new Map<Rival, KnockContest>();
  try {
    for (const rival of rivals) contests.set(rival, await KnockContest.begin(rival));
    const figures: LatencyFigure[] = [];
    for (const aim of aims) {
      const times = new Map<Rival, (number | undefined)[]>(rivals.map((rival) => [rival, []]));
      for (let knock = 1; knock <= knocks; knock++) {
        for (const [rival, contest] of contests) times.get(rival)?.push(await oneKnock(contest, aim));
        if (knock % 50 === 0) tellProgress(`time to the ${aim}: ${knock} of ${knocks} knocks on each gate`);
      }
      for (const rival of rivals) figures.push(figureOf(aim, rival, times.get(rival) ?? []));
    }
    return figures;
  } finally {
    for (const contest of contests.values()) await contest.end();
  }
}

/** Knocks on one gate after the other, each under so many packets of junk a second that it has to look at. */
export async function floodedLatency(
  knocks: Readonly<Record<Rival, number>>,
  perSecond: number,
): Promise<LatencyFigure[]> {
  const figures: LatencyFigure[] = [];
  for (const rival of rivals) {
    tellProgress(`${knocks[rival]} knocks on ${rival} under ${perSecond} packets of junk a second`);
    const contest = await KnockContest.begin(rival);
    try {
      const flood = await contest.beginJunk(perSecond);
      const times: (number | undefined)[] = [];
      while (times.length < knocks[rival]) times.push(await oneKnock(contest, "element"));
      await flood.stop();
      figures.push(figureOf("element", rival, times));
    } finally {
      await contest.end();
    }
  }
  return figures;
}

const random = randomFrom(1);

async function oneKnock(contest: KnockContest, aim: Aim): Promise<number | undefined> {
  const time = await contest.measure(aim);
  await pause(20 + 40 * random());
  return time;
}

/** The part of the report that figures make: their rows, and ours held against the target and the peers. */
export function latencyPart(
  title: string,
  measured: string,
  figures: readonly LatencyFigure[],
  target: LatencyTarget,
  peers: Readonly<Record<Exclude<Rival, "knockgate">, number | undefined>>,
): BenchPart {
  const of = (rival: Rival) => figures.find((figure) => figure.aim === "element" && figure.rival === rival);
  const told = (rival: Rival) => {
    const figure = of(rival);
    return figure === undefined
      ? ""
      : `${ms(figure.medianMs)} / ${ms(figure.p99Ms)}, ${figure.reached} of ${figure.knocks} open`;
  };
  const ours = of("knockgate");
  const [median, p99] = [ours?.medianMs ?? Number.NaN, ours?.p99Ms ?? Number.NaN];
  const shared = { knockd: told("knockd"), fwknopd: told("fwknopd") };
  const goals: BenchGoal[] = [
    {
      work: `${title}: median / p99`,
      ours: told("knockgate"),
      ...shared,
      ratio: "",
      target: `≤ ${target.medianMs} ms / ≤ ${target.p99Ms} ms, all open`,
      isMet: median <= target.medianMs && p99 <= target.p99Ms && ours?.reached === ours?.knocks,
    },
  ];
  for (const peer of ["knockd", "fwknopd"] as const) {
    const times = peers[peer];
    if (times === undefined) continue;
    const ratio = (of(peer)?.medianMs ?? Number.NaN) / median;
    goals.push({
      work: `${title}: against ${peer}`,
      ours: ms(median),
      [peer]: ms(of(peer)?.medianMs ?? Number.NaN),
      ratio: `${ratio.toFixed(1)} × ${peer}`,
      target: `≥ ${times} ×`,
      isMet: ratio >= times,
    });
  }
  return {
    title,
    measured,
    goals,
    rows: figures.map(({ times: _, ...figure }) => figure),
    series: figures.map(({ aim, rival, times, knocks }) => ({
      knocks,
      work: `${title}: ${aim}`,
      rival,
      milliseconds: times,
    })),
  };
}

function ms(time: number): string {
  return Number.isNaN(time) ? "never" : `${time.toFixed(time < 10 ? 2 : 0)} ms`;
}

function figureOf(aim: Aim, rival: Rival, times: readonly (number | undefined)[]): LatencyFigure {
  const sorted = times.filter((time) => time !== undefined).sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return {
    aim,
    rival,
    knocks: times.length,
    reached: sorted.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    leastMs: sorted[0] ?? Number.NaN,
    mostMs: sorted.at(-1) ?? Number.NaN,
    times: sorted,
  };
}
