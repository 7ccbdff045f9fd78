import type { OutcomeKind } from "./outcome.ts";

/** What a port is in a sequence: bit n is set where it is step n (a sequence may name a port more than once); 0: a decoy. */
export type Role = number;

/**
 * What one knock does to the progress of its source. Moves are made once and shared, so that a knock costs no allocation.
 */
export interface Move {
  readonly kind: OutcomeKind;
  /** How many steps are done now; all of them: completed, and nothing begun since. */
  readonly done: number;
  /** The step that takes the knock's identity, so that its retransmissions are known; undefined: none. */
  readonly remembersAs: number | undefined;
  /** Whether the window begins with this knock. */
  readonly restartsClock: boolean;
}

/**
 * A way to follow a sequence, as a pure transition.
 *
 * @param done how many steps are done; `steps`: completed, and nothing begun since.
 * @param steps how many the sequence has, 1 to 32.
 * @param role what the knock's port is in the sequence.
 * @param retransmitted whether the knock is a packet that was accepted before.
 * @param inTime whether less than the window has passed since the first knock, and not less than nothing.
 */
export type Matcher = (done: number, steps: number, role: Role, retransmitted: boolean, inTime: boolean) => Move;
