import type { Move } from "./matcher.ts";
import type { OutcomeKind } from "./outcome.ts";

/** One move for each number of steps done, 0 to 32; those that take a step remember the packet, and the first one begins the window. */
export function moves(kind: OutcomeKind, remembers: boolean): readonly Move[] {
  return Array.from({ length: 33 }, (_, done) => ({
    kind,
    done,
    remembersAs: remembers && done > 0 ? done - 1 : undefined,
    restartsClock: (kind === "advanced" || kind === "completed") && done === 1,
  }));
}

/** The step expected was knocked on; the last one, or another. */
export const advanced = moves("advanced", true);
export const completed = moves("completed", true);
/** Nothing changes. */
export const ignored = moves("ignored", false);

/** Where the first step begins the sequence anew, and where nothing is begun any more. */
export const afresh = { done: 1, remembersAs: 0, restartsClock: true };
export const ended = { done: 0, remembersAs: undefined, restartsClock: false };
export const reset: Move = { kind: "reset", ...ended };
export const expired: Move = { kind: "expired", ...ended };
export const expiredAfresh: Move = { kind: "expired", ...afresh };

/** The move to so many steps done. */
export function pick(from: readonly Move[], done: number): Move {
  return from[done] ?? reset;
}

/** Whether a port of this role is a step. */
export function isStep(role: number, step: number): boolean {
  return ((role >>> step) & 1) === 1;
}
