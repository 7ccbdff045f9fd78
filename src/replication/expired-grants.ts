import type { Clock, Timer } from "../clock.ts";
import type { KnownTerms } from "../policy/grant-terms.ts";
import type { GrantAddress } from "./grant-address.ts";
import { latestEndOf, type ReadGrant } from "./grant-object.ts";

export interface ExpiredGrantsOptions {
  readonly clock: Clock;
  /** Whether this agent holds the Lease. */
  readonly isLeader: () => boolean;
  /** Microseconds since the epoch by the server's clock; undefined where it is not known. */
  readonly serverMicros: () => number | undefined;
  /** Every grant there is. */
  readonly grants: () => Iterable<ReadGrant>;
  /** What the policy that a grant names allows, by `namespace/name`. */
  readonly termsOf: (name: string) => KnownTerms;
  readonly remove: (grant: GrantAddress) => void;
  /** This agent has the Lease, and has looked. */
  readonly looked: () => void;
}

/**
 * Nodes close a door by themselves, up to a second earlier or later than others. The object goes after them, so that each has
 * recorded that its time ran out.
 */
const graceMicros = 5e6;
/** A grant without an end of its own, whose KnockSequence does not exist, is waited with: it may be made after it. */
const orphanMicros = 600e6;
/** Between two looks at least, and at most, as another agent may have become the leader. */
const leastMs = 1000;
const mostMs = 30_000;

/**
 * Deletes KnockGrants whose time is over, on the agent that holds the Lease: also those for other nodes, and those of a
 * KnockSequence that does not exist.
 */
export class ExpiredGrants {
  private readonly options: ExpiredGrantsOptions;
  private timer: Timer | undefined;
  /** When it fires, monotonic. */
  private dueMicros = Infinity;
  private isClosed = false;

  constructor(options: ExpiredGrantsOptions) {
    this.options = options;
  }

  /** What is there has changed, or is timed better. */
  changed(): void {
    if (!this.isClosed) this.lookIn(leastMs);
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
  }

  /** Not later than was intended before. */
  private lookIn(delayMs: number): void {
    const { clock } = this.options;
    const due = clock.nowMicros() + delayMs * 1000;
    if (due >= this.dueMicros) return;
    this.timer?.cancel();
    this.dueMicros = due;
    this.timer = clock.after(delayMs, () => this.look());
  }

  private look(): void {
    this.dueMicros = Infinity;
    if (this.isClosed) return;
    const leads = this.options.isLeader();
    const next = leads ? this.sweep() : mostMs;
    this.lookIn(Math.min(mostMs, Math.max(leastMs, next)));
    if (leads) this.options.looked();
  }

  /** How long until the next one is over, in milliseconds. */
  private sweep(): number {
    const { serverMicros, grants, remove } = this.options;
    const now = serverMicros();
    if (now === undefined) return mostMs;
    let next = Infinity;
    for (const grant of grants()) {
      const end = this.endOf(grant) + graceMicros;
      if (end <= now) remove(grant);
      else next = Math.min(next, end);
    }
    return (next - now) / 1000;
  }

  /** Of a KnockSequence that does not exist a node may still have a policy of that name in a file, which the grant's own end fits. */
  private endOf(grant: ReadGrant): number {
    const terms = this.options.termsOf(`${grant.namespace}/${grant.spec.sequence}`);
    if (typeof terms === "object") return latestEndOf(grant, terms);
    const end = latestEndOf(grant, undefined);
    return terms === "missing" && end === Infinity ? grant.bornMicros + orphanMicros : end;
  }
}
