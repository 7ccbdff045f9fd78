import type { Clock, Timer } from "../clock.ts";
import type { Policy } from "../policy/policy.ts";
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
  /** In force on this node, by `namespace/name`. */
  readonly policies: () => ReadonlyMap<string, Policy>;
  readonly remove: (grant: GrantAddress) => void;
}

/**
 * Nodes close a door by themselves, up to a second earlier or later than others. The object goes after them, so that each has
 * recorded that its time ran out.
 */
const graceMicros = 5e6;
/** Between two looks at least, and at most, as another agent may have become the leader. */
const leastMs = 1000;
const mostMs = 30_000;

/** Deletes KnockGrants whose time is over, on the agent that holds the Lease. */
export class ExpiredGrants {
  private readonly options: ExpiredGrantsOptions;
  private timer: Timer | undefined;
  private isClosed = false;

  constructor(options: ExpiredGrantsOptions) {
    this.options = options;
  }

  /** What is there has changed, or is timed better. */
  changed(): void {
    this.timer ??= this.options.clock.after(leastMs, () => this.look());
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
  }

  private look(): void {
    this.timer = undefined;
    if (this.isClosed) return;
    const next = this.options.isLeader() ? this.sweep() : mostMs;
    this.timer = this.options.clock.after(Math.min(mostMs, Math.max(leastMs, next)), () => this.look());
  }

  /** How long until the next one is over, in milliseconds. */
  private sweep(): number {
    const { serverMicros, grants, policies, remove } = this.options;
    const now = serverMicros();
    if (now === undefined) return mostMs;
    let next = Infinity;
    for (const grant of grants()) {
      const end = latestEndOf(grant, policies().get(`${grant.namespace}/${grant.spec.sequence}`)) + graceMicros;
      if (end <= now) remove(grant);
      else next = Math.min(next, end);
    }
    return (next - now) / 1000;
  }
}
