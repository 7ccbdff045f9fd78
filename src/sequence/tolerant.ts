import type { Move, Role } from "./matcher.ts";
import { advanced, afresh, completed, expired, expiredAfresh, ignored, isStep, moves, pick, reset } from "./moves.ts";

/**
 * Follows a sequence the way real clients knock: they retransmit, open two sockets, and are tried again.
 *
 * | the knock is | and | then |
 * |---|---|---|
 * | a packet that was accepted before | | repeated; nothing changes |
 * | anything | the window has run out | expired; the first step starts afresh, all else ends the progress |
 * | the step expected | | advanced, or completed |
 * | the step last accepted, in a new packet | it is the only one | repeated; the clock restarts |
 * | | it is not | repeated; nothing changes |
 * | the first step | | reset, and begun afresh |
 * | another step, a decoy | something is begun | reset |
 * | | nothing is begun | ignored |
 *
 * The clock restarts at a first step that comes again, so that an earlier first knock, stale or spoofed, cannot make the
 * real one late. A new packet of the step last accepted is remembered as well: browsers open two sockets at once, and
 * both retransmit.
 */
export function tolerant(done: number, steps: number, role: Role, retransmitted: boolean, inTime: boolean): Move {
  const begun = done > 0 && done < steps;
  if (retransmitted) return pick(repeated, done);
  if (begun && !inTime) return isStep(role, 0) ? expiredAfresh : expired;
  const expected = begun ? done : 0;
  if (isStep(role, expected)) return pick(expected + 1 === steps ? completed : advanced, expected + 1);
  if (done > 0 && isStep(role, done - 1)) return done === 1 ? restarted : pick(repeatedAnew, done);
  if (!begun) return pick(ignored, done);
  return isStep(role, 0) ? resetAfresh : reset;
}

const repeated = moves("repeated", false);
const repeatedAnew = moves("repeated", true);
const restarted: Move = { kind: "repeated", ...afresh };
const resetAfresh: Move = { kind: "reset", ...afresh };
