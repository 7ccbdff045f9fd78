import type { Knock } from "../../src/decode/knock.ts";
import { contains, formatAddress } from "../../src/policy/address.ts";
import type { Policy, Sequence } from "../../src/policy/policy.ts";

/** A packet that counted as a step. */
interface Accepted {
  readonly step: number;
  readonly packet: string;
  seenMs: number;
}

/** One source in one sequence, as plainly as it can be said. */
interface Follower {
  /** The knocks that count so far; empty: nothing begun. */
  done: number;
  beganMicros: number;
  /** The step accepted by the last knock that was, kept after a completion. */
  last: number | undefined;
  /** The two newest of each step, newest last. */
  accepted: Accepted[];
}

/**
 * The rules of tolerant matching written a second time, with maps and strings and without bounds, to compare the tracker
 * with. Answers each knock with `name action outcome step`.
 */
export class ReferenceTracker {
  readonly #followers = new Map<string, Follower>();
  #policies: readonly Policy[] = [];

  usePolicies(policies: readonly Policy[]): void {
    const kept = new Set(policies.map((policy) => `${policy.name} ${policy.fingerprint}`));
    for (const key of this.#followers.keys()) if (!kept.has(key.split("|")[0] ?? "")) this.#followers.delete(key);
    this.#policies = policies;
  }

  observe(knock: Knock): string[] {
    return this.#policies.flatMap((policy) =>
      [policy.opensBy, policy.closesBy].flatMap((sequence) =>
        sequence === undefined ? [] : this.#observe(policy, sequence, knock),
      ),
    );
  }

  #observe(policy: Policy, sequence: Sequence, knock: Knock): string[] {
    const key = knock.port + (knock.protocol === 17 ? 65536 : 0);
    if (!sequence.steps.includes(key) && !sequence.decoys.includes(key)) return [];
    const outcome = counts(sequence, knock) ? this.#follow(policy, sequence, key, knock) : "ignored 0";
    return [`${policy.name} ${sequence.action} ${outcome}`];
  }

  #follow(policy: Policy, sequence: Sequence, key: number, knock: Knock): string {
    const name = `${policy.name} ${policy.fingerprint}|${sequence.action}|${formatAddress(knock.source)}`;
    let follower = this.#followers.get(name);
    if (follower === undefined) {
      follower = { done: 0, beganMicros: 0, last: undefined, accepted: [] };
      this.#followers.set(name, follower);
    }
    return judge(follower, sequence, key, knock);
  }
}

function counts(sequence: Sequence, knock: Knock): boolean {
  const { must, mustNot } = sequence.flags;
  if (knock.protocol === 6 && ((knock.flags & must) !== must || (knock.flags & mustNot) !== 0)) return false;
  if (sequence.target !== undefined && formatAddress(sequence.target) !== formatAddress(knock.target)) return false;
  return sequence.sources.some((cidr) => contains(cidr, knock.source));
}

function judge(follower: Follower, sequence: Sequence, key: number, knock: Knock): string {
  const { steps, withinMicros } = sequence;
  const nowMs = Math.floor(knock.atMicros / 1000);
  const packet = `${knock.sourcePort} ${knock.sequenceNumber} ${knock.ipId}`;
  const known = follower.accepted.find(
    (one) => one.packet === packet && steps[one.step] === key && Math.abs(nowMs - one.seenMs) * 1000 < withinMicros,
  );
  if (known !== undefined) {
    known.seenMs = nowMs;
    return `repeated ${follower.done}`;
  }
  const elapsed = knock.atMicros - follower.beganMicros;
  const late = follower.done > 0 && (elapsed < 0 || elapsed >= withinMicros);
  if (late) return fallBack(follower, "expired", steps[0] === key, packet, knock);
  if (steps[follower.done] === key) return accept(follower, steps.length, packet, knock);
  if (follower.last !== undefined && steps[follower.last] === key) {
    if (follower.done === 1) follower.beganMicros = knock.atMicros;
    note(follower, follower.last, packet, nowMs);
    return `repeated ${follower.done}`;
  }
  return follower.done === 0 ? "ignored 0" : fallBack(follower, "reset", steps[0] === key, packet, knock);
}

function accept(follower: Follower, steps: number, packet: string, knock: Knock): string {
  const step = follower.done;
  if (step === 0) follower.beganMicros = knock.atMicros;
  note(follower, step, packet, Math.floor(knock.atMicros / 1000));
  follower.last = step;
  follower.done = step + 1 === steps ? 0 : step + 1;
  return step + 1 === steps ? `completed ${steps}` : `advanced ${step + 1}`;
}

function fallBack(follower: Follower, why: string, isFirst: boolean, packet: string, knock: Knock): string {
  follower.done = 0;
  follower.last = undefined;
  if (!isFirst) return `${why} 0`;
  accept(follower, 33, packet, knock);
  return `${why} 1`;
}

function note(follower: Follower, step: number, packet: string, nowMs: number): void {
  const same = follower.accepted.filter((one) => one.step === step);
  const others = follower.accepted.filter((one) => one.step !== step);
  follower.accepted = [...others, ...same.slice(-1), { step, packet, seenMs: nowMs }];
}
