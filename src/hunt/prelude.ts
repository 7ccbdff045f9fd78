import { type Flow, protocolOf, sameStep } from "./flow.ts";

/** How far apart the parts of a knock may lie. */
export interface HuntWindows {
  /** From one step to the next. */
  readonly stepMicros: number;
  /** From the last step to the connection that it opens. */
  readonly openMicros: number;
}

/** No sequence is longer (a policy has 32 steps at most): more unanswered ports than this are a scan. */
export const mostSteps = 32;

/** What a source had tried before a port let it in: steps in order, `scan` for too many of them, or nothing. */
export type Prelude = readonly Flow[] | "scan";

/**
 * The unanswered probes that led up to an opening, read backwards from it until a gap is too long. A port tried several times
 * in a row is one step, and a row of steps that was gone through several times counts as one round. The opened port itself is
 * no step. Pure.
 */
export function preludeOf(flows: readonly Flow[], opening: Flow, windows: HuntWindows): Prelude {
  const steps: Flow[] = [];
  let until = opening.lastMicros;
  let gap = windows.openMicros;
  for (let at = flows.length - 1; at >= 0; at--) {
    const flow = flows[at] as Flow;
    if (flow.answered || flow.firstMicros >= opening.lastMicros || isSamePort(flow, opening)) continue;
    if (until - flow.firstMicros > gap) break;
    until = flow.firstMicros;
    gap = windows.stepMicros;
    const next = steps[steps.length - 1];
    if (next === undefined || !sameStep(next, flow)) steps.push(flow);
    else steps[steps.length - 1] = flow;
  }
  if (steps.length > mostSteps) return "scan";
  return lastRound(steps.reverse());
}

function isSamePort(flow: Flow, opening: Flow): boolean {
  return flow.port === opening.port && protocolOf(flow.carrier) === protocolOf(opening.carrier);
}

/** `A B C A B C` is `A B C`: the shortest row that makes up the whole, twice at least. */
function lastRound(steps: readonly Flow[]): readonly Flow[] {
  for (let length = 1; length * 2 <= steps.length; length++) {
    const isRound = steps.every((step, at) => at < length || sameStep(step, steps[at - length] as Flow));
    if (isRound) return steps.slice(-length);
  }
  return steps;
}
