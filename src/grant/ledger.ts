import type { Address } from "../policy/address.ts";
import type { PolicyId } from "../policy/policy.ts";
import { type Port, portKey } from "../policy/port.ts";
import type { Grant } from "./grant.ts";
import { type HoldId, policyOfHold } from "./hold.ts";

/** What the ledger knows of one open port of one source. `Infinity` is a deadline that never comes (`for: 0s`). */
export interface LedgerEntry {
  readonly source: Address;
  readonly port: Port;
  /** Until when each holds the port open, monotonic microseconds; never empty. */
  readonly deadlines: ReadonlyMap<HoldId, number>;
}

/** Names one open port of one source. */
export type GrantKey = string;

/** The key of a source and a port. */
export function grantKey(source: Address, port: Port): GrantKey {
  return `${source.join(".")}|${portKey(port)}`;
}

/** When the last of an entry's policies lets go of the port: when two policies open it, the later deadline holds. */
export function deadlineOf(entry: LedgerEntry): number {
  return Math.max(...entry.deadlines.values());
}

/** The entry as what one set element holds. */
export function toGrant(entry: LedgerEntry): Grant {
  const deadline = deadlineOf(entry);
  return {
    source: entry.source,
    port: entry.port,
    policies: [...entry.deadlines.keys()],
    deadlineMicros: deadline === Infinity ? undefined : deadline,
  };
}

/** An entry without the policies whose hold has ended; undefined when none holds on. */
export function withoutEnded(entry: LedgerEntry, nowMicros: number): LedgerEntry | undefined {
  const held = [...entry.deadlines].filter(([, deadline]) => deadline > nowMicros);
  return held.length === 0 ? undefined : { ...entry, deadlines: new Map(held) };
}

/** One hold on a port that has ended. */
export interface EndedHold {
  readonly source: Address;
  readonly port: Port;
  readonly hold: HoldId;
  /** Whether the policy does not hold the port open in another way. */
  readonly letGo: boolean;
  /** Whether nobody holds the port open for the source any more. */
  readonly closed: boolean;
}

/** Which holds of the one entry are missing in the other. */
export function endedHolds(before: LedgerEntry, after: LedgerEntry | undefined): EndedHold[] {
  const { source, port } = before;
  const policies = policiesOf(after);
  return [...before.deadlines.keys()]
    .filter((hold) => !after?.deadlines.has(hold))
    .map((hold) => ({ source, port, hold, letGo: !policies.has(policyOfHold(hold)), closed: after === undefined }));
}

/** Until when a policy holds a port open, in whichever way; 0: not at all. */
export function heldUntil(entry: LedgerEntry | undefined, policy: PolicyId): number {
  const held = [...(entry?.deadlines ?? [])].filter(([hold]) => policyOfHold(hold) === policy);
  return Math.max(0, ...held.map(([, deadline]) => deadline));
}

/** The policies that hold a port open, in whichever way. */
function policiesOf(entry: LedgerEntry | undefined): ReadonlySet<PolicyId> {
  return new Set([...(entry?.deadlines.keys() ?? [])].map(policyOfHold));
}

/** Entries end in steps of this many microseconds, so that a thousand of them cost one timer. */
const slotMicros = 100_000;

/**
 * All grants of this node, rebuilt from the kernel at start. The kernel is the authority: an entry is put here after the
 * kernel has it. Bounded by the granter's limit. Entries are found by deadline through slots of 100 ms, so that adding one
 * costs the same whatever the number.
 */
export class Ledger {
  private readonly entries = new Map<GrantKey, LedgerEntry>();
  private readonly slots = new Map<number, Set<GrantKey>>();
  private readonly counts = new Map<PolicyId, number>();

  get size(): number {
    return this.entries.size;
  }

  get(key: GrantKey): LedgerEntry | undefined {
    return this.entries.get(key);
  }

  all(): IterableIterator<LedgerEntry> {
    return this.entries.values();
  }

  /** Live entries of each policy. */
  countsByPolicy(): ReadonlyMap<PolicyId, number> {
    return this.counts;
  }

  /** Puts an entry in the place of the one with the same key. */
  put(entry: LedgerEntry): void {
    const key = grantKey(entry.source, entry.port);
    this.delete(key);
    this.entries.set(key, entry);
    this.count(entry, 1);
    const slot = slotOf(entry);
    if (slot === undefined) return;
    const keys = this.slots.get(slot);
    if (keys === undefined) this.slots.set(slot, new Set([key]));
    else keys.add(key);
  }

  /** Takes an entry out; undefined when it is not there. */
  delete(key: GrantKey): LedgerEntry | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.count(entry, -1);
    const slot = slotOf(entry);
    const keys = slot === undefined ? undefined : this.slots.get(slot);
    keys?.delete(key);
    if (slot !== undefined && keys?.size === 0) this.slots.delete(slot);
    return entry;
  }

  /** When the next entries end, at the earliest; undefined when none has a deadline. */
  nextDeadlineMicros(): number | undefined {
    let first = Infinity;
    for (const slot of this.slots.keys()) first = Math.min(first, slot);
    return first === Infinity ? undefined : first * slotMicros;
  }

  /** Lets go every hold that has ended by now; an entry that another policy still holds stays, without it. */
  takeExpired(nowMicros: number): EndedHold[] {
    const due = [...this.slots.keys()].filter((slot) => slot * slotMicros <= nowMicros).sort((a, b) => a - b);
    const entries = due.flatMap((slot) => [...(this.slots.get(slot) ?? [])]).map((key) => this.delete(key));
    return entries.flatMap((entry) => {
      if (entry === undefined) return [];
      const held = withoutEnded(entry, nowMicros);
      if (held !== undefined) this.put(held);
      return endedHolds(entry, held);
    });
  }

  private count(entry: LedgerEntry, change: number): void {
    for (const policy of policiesOf(entry)) {
      const count = (this.counts.get(policy) ?? 0) + change;
      if (count === 0) this.counts.delete(policy);
      else this.counts.set(policy, count);
    }
  }
}

/** The slot at whose beginning the first of an entry's holds has ended; undefined: never. */
function slotOf(entry: LedgerEntry): number | undefined {
  const deadline = Math.min(...entry.deadlines.values());
  return deadline === Infinity ? undefined : Math.ceil(deadline / slotMicros);
}
