import { setTimeout as timeout } from "node:timers/promises";

/**
 * A timer that has been set and can be taken back.
 */
export interface Timer {
  /** Takes the timer back; harmless when it has fired or was cancelled before. */
  cancel(): void;
}

/**
 * The only source of time. Deadlines and windows use `nowMicros` (CLOCK_MONOTONIC, the same in every process
 * of one boot, clock_gettime(2)); `wallMicros` is for people: logs, audit records, comments.
 */
export interface Clock {
  /** Microseconds since an arbitrary point; never goes back. */
  nowMicros(): number;
  /** Microseconds since the epoch; jumps when somebody sets the clock. */
  wallMicros(): number;
  /** Calls `action` once after `delayMs` milliseconds at the earliest. The timer never keeps the process alive. */
  after(delayMs: number, action: () => void): Timer;
}

/** The longest delay that setTimeout takes; a longer one fires at once (Node's timers documentation). */
const longestDelayMs = 2 ** 31 - 1;

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMicros: () => Number(process.hrtime.bigint() / 1000n),
  wallMicros: () => Math.round((performance.timeOrigin + performance.now()) * 1000) + wallShiftMicros(),
  after: (delayMs, action) => {
    const timer = setTimeout(action, Math.min(Math.max(0, delayMs), longestDelayMs));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/**
 * How far the wall clock was set since the process began, in whole milliseconds: `performance.timeOrigin` does
 * not follow a step of the clock, `Date.now` does. Less than 20 ms is slewing and left alone.
 */
function wallShiftMicros(): number {
  const shiftMs = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(shiftMs) < 20 ? 0 : Math.round(shiftMs * 1000);
}

/** Resolves after `delayMs`, or as soon as the signal is aborted. Unlike a timer of a clock it keeps the process alive: for commands. */
export async function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  await timeout(
    Math.min(Math.max(0, delayMs), longestDelayMs),
    undefined,
    signal === undefined ? {} : { signal },
  ).catch((cause) => {
    if (signal?.aborted !== true) throw cause;
  });
}
