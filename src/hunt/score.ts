import type { FindingKind } from "./finding.ts";
import type { Carrier } from "./flow.ts";

/** What speaks for and against a suspicion, gathered when it is judged. */
export interface Evidence {
  readonly kind: FindingKind;
  /** Of the steps that never answered anybody. */
  readonly carriers: readonly Carrier[];
  /** `22/tcp`. */
  readonly opened: string;
  readonly times: number;
  /** How many sources used these steps on this host. */
  readonly sources: number;
  readonly isExact: boolean;
  /** Every step was sent three times or more: its sender waited for an answer. */
  readonly isPatient: boolean;
  readonly isAfterDenial: boolean;
  readonly failedKnocks: number;
  readonly isPlainBefore: boolean;
  readonly isScheduled: boolean;
  /** Other sources that found the opened port closed; that were let in without probing. */
  readonly deniedOthers: number;
  readonly plainOthers: number;
  /** Other sources that were let in after other probes. */
  readonly otherKnockers: number;
  /** Hosts that the source probed and that never answered it. */
  readonly silentTargets: number;
  /** Callback: hosts that the one that connected back talked to. */
  readonly dialed: number;
}

/** One piece of evidence: what it adds or takes away, and why. */
interface Reason {
  readonly weight: number;
  readonly why: string;
}

/** What makes a finding unless told otherwise. */
export const defaultScore = 60;

/** What each piece of evidence weighs. Chosen by hand; the tests hold them to the figures that docs/hunt.md gives. */
export const weights = {
  steps: [0, 0, 15, 35, 40],
  callback: 40,
  again: 25,
  afterDenial: 25,
  deniedOthers: 25,
  exact: 15,
  odd: 10,
  firstDial: 20,
  manySteps: -15,
  patient: -20,
  onePlain: -30,
  manyPlain: -60,
  listed: -10,
  plainBefore: -40,
  failedKnocks: -40,
  scheduled: -60,
  sweep: -40,
  dialsMany: -60,
} as const;

/** More steps than people choose; more silent hosts than a client has; more peers than a server calls. */
const longSteps = 12;
const sweepTargets = 16;
const quietDials = 4;

/** Where more than so many get in without probing, those who do not were just not answered: no list is kept of so many. */
const mostListed = 12;

/** Score from 0 to 100 with its reasons, those for it first. Pure. */
export function judge(evidence: Evidence): { readonly score: number; readonly reasons: readonly string[] } {
  const reasons = [...begin(evidence), ...aboutSteps(evidence), ...aboutGate(evidence), ...aboutSource(evidence)];
  const sum = reasons.reduce((total, { weight }) => total + weight, 0);
  const ordered = [...reasons.filter(({ weight }) => weight >= 0), ...reasons.filter(({ weight }) => weight < 0)];
  return { score: Math.max(0, Math.min(100, sum)), reasons: ordered.map(({ why }) => why) };
}

function begin({ kind, carriers, opened }: Evidence): Reason[] {
  const count = carriers.length === 1 ? "one packet" : `${carriers.length} packets in order`;
  if (kind === "callback")
    return [{ weight: weights.callback, why: `${count} without an answer, then the host connected back to ${opened}` }];
  const weight = weights.steps[Math.min(carriers.length, weights.steps.length - 1)] ?? 0;
  return [{ weight, why: `${count} to closed or silent ports, then ${opened} let the source in` }];
}

/** A list of ports that several sources try is a program's default as often as a knock: it counts where there is a gate. */
function aboutSteps(evidence: Evidence): Reason[] {
  const { times, sources, isExact, carriers, isScheduled, deniedOthers, isAfterDenial } = evidence;
  const isShared = times === 1 && sources > 1 && (deniedOthers > 0 || isAfterDenial);
  const isOdd = carriers.some((carrier) => carrier === "odd-flags" || carrier === "icmp");
  return [
    ...when(times > 1, weights.again, `the same ${times} times`),
    ...when(isShared, weights.again, `${sources} sources did the same`),
    ...when(isExact, weights.exact, "each step was one packet that was never repeated"),
    ...when(evidence.isPatient, weights.patient, "its sender waited for an answer at every step"),
    ...when(isOdd, weights.odd, "carried in packets that no ordinary program sends"),
    ...when(carriers.length > longSteps, weights.manySteps, "more ports than people choose"),
    ...when(isScheduled, weights.scheduled, "every step comes as regularly as a health check"),
  ];
}

/**
 * Several users may have a sequence each; where nobody is ever kept out, they have programs that try ports. Who is let in without
 * probing while as many others are kept out stands on an allow list.
 */
function aboutGate(evidence: Evidence): Reason[] {
  const { kind, opened, deniedOthers, plainOthers, isAfterDenial, isPlainBefore, failedKnocks } = evidence;
  if (kind === "callback") return [];
  const others = (count: number) => `${count === 1 ? "another address" : `${count} other addresses`}`;
  const isGate = isAfterDenial || deniedOthers > 0;
  const isListed = plainOthers <= mostListed && deniedOthers > 0 && deniedOthers >= plainOthers;
  const strays = isGate ? 0 : evidence.otherKnockers;
  return [
    ...when(isAfterDenial, weights.afterDenial, `${opened} was closed or silent to this source before`),
    ...when(deniedOthers > 0, weights.deniedOthers, `${opened} is closed or silent to ${others(deniedOthers)}`),
    ...when(isListed && plainOthers > 0, weights.listed, `${others(plainOthers)} may use it without probing`),
    ...when(!isListed && plainOthers === 1, weights.onePlain, `${others(1)} got in without probing`),
    ...when(!isListed && plainOthers > 1, weights.manyPlain, `${others(plainOthers)} got in without probing`),
    ...when(strays === 1, weights.onePlain, `${others(1)} got in after other probes`),
    ...when(strays > 1, weights.manyPlain, `${others(strays)} got in after other probes`),
    ...when(isPlainBefore, weights.plainBefore, "the source itself got in without probing before"),
    ...when(failedKnocks > 0, weights.failedKnocks, "the same probes had not opened it before"),
  ];
}

function aboutSource({ kind, silentTargets, dialed }: Evidence): Reason[] {
  const isSweep = silentTargets > sweepTargets;
  return [
    ...when(isSweep, weights.sweep, `the source probes ${silentTargets} hosts that do not answer`),
    ...when(kind === "callback" && dialed <= quietDials, weights.firstDial, "the host hardly ever connects out"),
    ...when(kind === "callback" && dialed > quietDials, weights.dialsMany, `the host connects out to ${dialed} hosts`),
  ];
}

function when(holds: boolean, weight: number, why: string): Reason[] {
  return holds ? [{ weight, why }] : [];
}
