/**
 * Knocks that an agent before this one has not turned into KnockGrants, as the API was away until it ended. They need no file: that
 * a knock holds the door open by itself, and no KnockGrant does, stands in the kernel beside the door, came there with it in
 * one transaction, and is bounded as doors are. What is not there any more, as somebody has closed it or its time is over or the
 * node has booted, is not to be made up for either. What the kernel does not have is the packet; the name is made of when the
 * door ends instead.
 *
 * An agent that ends between the creation and the watch's showing it, a matter of milliseconds, leaves a door that looks the
 * same. When the KnockGrant is still there it is found; when somebody has deleted it meanwhile it is made once more.
 */
import { isClusterHold } from "../grant/hold.ts";
import type { LedgerEntry } from "../grant/ledger.ts";
import type { Address } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import type { ReplicatedKnock } from "./awaited-grants.ts";
import { doorKey, type LiveGrant } from "./replication.ts";

/** A grant that ends so much earlier is of an earlier knock. */
const otherKnockMicros = 5e6;

interface Restored {
  readonly id: PolicyId;
  readonly source: Address;
  readonly deadlineMicros: number;
}

/** What is known when a plan is made. */
export interface RestoredState {
  /** In force, and their namespaces' KnockGrants are listed. */
  readonly policies: ReadonlyMap<PolicyId, Policy>;
  readonly grants: readonly LiveGrant[];
  /** What the kernel has open now. */
  readonly entries: Iterable<LedgerEntry>;
  /** What is to be added to the monotonic clock for the server's, microseconds. */
  readonly serverOffsetMicros: number;
}

/** Doors that knocks held open when the agent began, until it is known of each whether a KnockGrant holds it too. */
export class RestoredKnocks {
  private readonly doors = new Map<string, Restored>();

  /** `entries`: what the kernel had. */
  constructor(entries: Iterable<LedgerEntry>) {
    for (const [door, restored] of knockedDoors(entries)) this.doors.set(door, restored);
  }

  /** Those that no KnockGrant holds; each is handed out once. */
  take({ policies, grants, entries, serverOffsetMicros }: RestoredState): readonly ReplicatedKnock[] {
    if (this.doors.size === 0) return [];
    const open = knockedDoors(entries);
    const knocks: ReplicatedKnock[] = [];
    for (const [door, { id, source, deadlineMicros }] of this.doors) {
      const policy = policies.get(id);
      if (policy === undefined) continue; // it may come yet
      this.doors.delete(door);
      const { uid } = policy;
      const isHeld = grants.some(
        (grant) =>
          doorKey(grant.policy.id, grant.source) === door && grant.deadlineMicros >= deadlineMicros - otherKnockMicros,
      );
      if (uid === undefined || policy.opens?.scope !== "Cluster" || isHeld || !open.has(door)) continue;
      const ends = Math.round((deadlineMicros + serverOffsetMicros) / 1e6);
      knocks.push({ policy: { ...policy, uid }, source, packet: `restored, ends ${ends}`, deadlineMicros });
    }
    return knocks;
  }
}

/** By policy and source, the latest deadline of its ports. */
function knockedDoors(entries: Iterable<LedgerEntry>): ReadonlyMap<string, Restored> {
  const doors = new Map<string, Restored>();
  for (const { source, deadlines } of entries) {
    for (const [hold, deadlineMicros] of deadlines) {
      if (isClusterHold(hold)) continue;
      const door = doorKey(hold, source);
      const before = doors.get(door)?.deadlineMicros ?? -Infinity;
      doors.set(door, { id: hold, source, deadlineMicros: Math.max(before, deadlineMicros) });
    }
  }
  return doors;
}
