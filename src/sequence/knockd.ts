import type { Move, Role } from "./matcher.ts";
import { advanced, completed, expired, expiredAfresh, ignored, isStep, pick, reset } from "./moves.ts";

/**
 * Follows a sequence as knockd 0.8 does: strictly. It knows no retransmissions, so a step that comes twice is a wrong one.
 * The packet that fails an attempt begins none.
 *
 * | an attempt | and the knock is | then |
 * |---|---|---|
 * | is under way | the step expected | advanced, or completed |
 * | | any other that is seen | reset |
 * | has run out of time | the first step | expired and begun afresh, when no other door's attempt is under way |
 * | | any other | expired |
 * | is not there | the first step | advanced, or completed; same condition |
 * | | any other | ignored |
 *
 * Which packets are seen, and whether another door's attempt is under way, the group of all doors decides: knockd-group.ts.
 */
export function knockd(done: number, steps: number, role: Role, _retransmitted: boolean, inTime: boolean): Move {
  const begun = done > 0 && done < steps;
  if (begun && inTime) return isStep(role, done) ? next(done, steps) : reset;
  if (isStep(role, 0)) return begun ? expiredAfresh : next(0, steps);
  return begun ? expired : pick(ignored, done);
}

function next(done: number, steps: number): Move {
  return pick(done + 1 === steps ? completed : advanced, done + 1);
}
