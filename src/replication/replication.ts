import type { ClusterWish } from "../grant/grant-request.ts";
import { clusterHold, type HoldId, isClusterHold, policyOfHold } from "../grant/hold.ts";
import { type GrantKey, grantKey, type LedgerEntry } from "../grant/ledger.ts";
import type { Address } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import type { Port } from "../policy/port.ts";

/** A KnockGrant that this node's policies allow, on this node's clock. */
export interface LiveGrant {
  /** Tells it from one of the same name that was there before. */
  readonly uid: string;
  /** `KnockGrant namespace/name`. */
  readonly label: string;
  readonly policy: Policy;
  readonly source: Address;
  readonly ports: readonly Port[];
  /** Monotonic microseconds, perhaps past; Infinity: until it is deleted. */
  readonly deadlineMicros: number;
}

/** What the plan is made from. */
export interface ReplicationState {
  /** Every grant there is, those that have ended too, as long as the API has them. */
  readonly grants: readonly LiveGrant[];
  /** What the kernel has open. */
  readonly entries: Iterable<LedgerEntry>;
  /** Policies in force. */
  readonly policies: ReadonlyMap<PolicyId, Policy>;
  /** Whether this node has opened what a grant holds already: a door that is closed since then was closed on purpose. */
  readonly isOpened: (grant: LiveGrant) => boolean;
  /** Whether a knock of this node still waits to become a KnockGrant. */
  readonly isAwaited: (policy: PolicyId, source: Address) => boolean;
  readonly nowMicros: number;
}

/** What the ledger lacks, and what it has too much. */
export interface ReplicationPlan {
  readonly holds: readonly ClusterWish[];
  readonly releases: readonly { readonly hold: HoldId; readonly source: Address; readonly ports: readonly Port[] }[];
}

/** A deadline that is as near as this is left alone: the server's clock is known to a few hundredths of a second. */
const toleranceMicros = 300_000;

/** What all grants together want of one door through one policy. */
interface Wanted {
  readonly grant: LiveGrant;
  readonly port: Port;
  readonly deadlineMicros: number;
  /** Whether one of them has not been opened so far. */
  readonly isNew: boolean;
}

/**
 * What is to be done so that the doors held by KnockGrants are as the grants say. Grants of one policy and source add up: the
 * latest deadline holds, so a renewal is another object, and deleting one leaves open what another one holds. Pure.
 *
 * | the kernel has | the grants say | plan |
 * |---|---|---|
 * | no hold of theirs | live, not opened before | open |
 * | no hold of theirs | live, opened before | nothing: somebody has closed it on this node |
 * | a hold | another deadline | that deadline |
 * | a hold, and a knock's that has become a grant | live | one hold, the grants' |
 * | a hold | no grant any more, or none that is allowed | release; what a knock or another policy holds stays |
 * | a hold | a grant whose time is over | nothing: it ends by itself, unless its policy allows less now than it did |
 */
export function planReplication(state: ReplicationState): ReplicationPlan {
  const wanted = wantedDoors(state);
  const entries = new Map<GrantKey, LedgerEntry>();
  for (const entry of state.entries) entries.set(grantKey(entry.source, entry.port), entry);
  const holds = new Map<string, ClusterWish>();
  for (const want of wanted.values()) {
    const wish = wishFor(want, entries.get(grantKey(want.grant.source, want.port)), state);
    if (wish === undefined) continue;
    const key = `${doorKey(wish.policy.id, wish.source)} ${wish.deadlineMicros} ${wish.replacesKnock}`;
    const same = holds.get(key);
    holds.set(key, same === undefined ? wish : { ...same, ports: [...same.ports, ...wish.ports] });
  }
  return { holds: [...holds.values()], releases: releasesOf(entries.values(), wanted, state) };
}

/** By policy, source and port. */
function wantedDoors({ grants, isOpened }: ReplicationState): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const grant of grants) {
    const isNew = !isOpened(grant);
    for (const port of grant.ports) {
      const key = `${doorKey(grant.policy.id, grant.source)} ${grantKey(grant.source, port)}`;
      const other = wanted.get(key);
      const longest = other !== undefined && other.deadlineMicros >= grant.deadlineMicros ? other.grant : grant;
      const { deadlineMicros } = longest;
      wanted.set(key, { grant: longest, port, deadlineMicros, isNew: isNew || (other?.isNew ?? false) });
    }
  }
  return wanted;
}

function wishFor(want: Wanted, entry: LedgerEntry | undefined, state: ReplicationState): ClusterWish | undefined {
  const { grant, port, deadlineMicros, isNew } = want;
  const { policy, source } = grant;
  if (deadlineMicros <= state.nowMicros) return undefined;
  const held = entry?.deadlines.get(clusterHold(policy.id));
  const isKnocks = policy.opens?.scope === "Cluster" && (entry?.deadlines.has(policy.id) ?? false);
  const replacesKnock = isKnocks && !state.isAwaited(policy.id, source);
  const isSame = held === deadlineMicros || Math.abs((held ?? 0) - deadlineMicros) <= toleranceMicros;
  const isClosed = held === undefined && !isNew && !replacesKnock;
  if (isClosed || (held !== undefined && isSame && !replacesKnock)) return undefined;
  return { policy, source, ports: [port], deadlineMicros, grant: grant.label, replacesKnock };
}

function releasesOf(
  entries: Iterable<LedgerEntry>,
  wanted: ReadonlyMap<string, Wanted>,
  { policies, nowMicros }: ReplicationState,
): ReplicationPlan["releases"] {
  const releases = new Map<string, { hold: HoldId; source: Address; ports: readonly Port[] }>();
  for (const { source, port, deadlines } of entries) {
    for (const [hold, deadlineMicros] of deadlines) {
      const policy = policyOfHold(hold);
      const door = doorKey(policy, source);
      const want = wanted.get(`${door} ${grantKey(source, port)}`);
      const endsByItself = deadlineMicros <= nowMicros + toleranceMicros;
      const isWanted = want !== undefined && (want.deadlineMicros > nowMicros || endsByItself);
      // Of a policy that is not in force nothing is known: its doors end as those of any other.
      if (!isClusterHold(hold) || !policies.has(policy) || isWanted) continue;
      releases.set(door, { hold, source, ports: [...(releases.get(door)?.ports ?? []), port] });
    }
  }
  return [...releases.values()];
}

/** The same for the same policy and source. */
export function doorKey(policy: PolicyId, source: Address): string {
  return `${policy} ${source.join(".")}`;
}
