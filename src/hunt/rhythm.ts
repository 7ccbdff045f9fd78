import type { Flow } from "./flow.ts";

/** Tries that follow each other quicker are one: a client that does not give up at once. */
const retryMicros = 2e6;

/** Six tries at five like intervals: nobody does that by hand. */
const regularEnough = 4;

/** Notes how a try follows the last one of the same source at the same port. */
export function keepRhythm(before: Flow, flow: Flow): void {
  const interval = flow.firstMicros - before.firstMicros;
  if (interval < retryMicros) {
    flow.intervalMicros = before.intervalMicros;
    flow.regularIntervals = before.regularIntervals;
    return;
  }
  flow.intervalMicros = interval;
  const isAlike = Math.abs(interval - before.intervalMicros) < before.intervalMicros / 4;
  flow.regularIntervals = isAlike ? before.regularIntervals + 1 : Math.max(0, before.regularIntervals - 2);
}

/** Whether a port is tried as regularly as a health check does. One interval that is missing does not matter. */
export function isRegular({ regularIntervals }: Flow): boolean {
  return regularIntervals >= regularEnough;
}
