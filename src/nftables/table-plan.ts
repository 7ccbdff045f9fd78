import type { SetListing, TableListing } from "./nft.ts";
import type { NftElement, NftSet } from "./objects.ts";
import { renderKey, renderShape, renderTransaction } from "./render.ts";
import { type GateSpec, liveSets, type Ruleset, rulesetOf } from "./ruleset.ts";
import { Transaction } from "./transaction.ts";

/**
 * The one transaction that makes the table what is wanted, whatever is there: nothing, the table of an older version, or
 * one that somebody has changed. Chains are emptied and filled again, sets that the spec decides likewise. Elements of
 * granted and adopted sets stay; where such a set must be made anew they come along with what is left of their time.
 * `live` are elements that must be there as well. Pure.
 */
export function planLoad(
  listing: TableListing | undefined,
  ruleset: Ruleset,
  live: readonly NftElement[],
): Transaction {
  const transaction = new Transaction().add({ kind: "table" });
  clearAway(transaction, listing, ruleset);
  for (const counter of ruleset.counters) transaction.add(counter);
  for (const set of ruleset.sets) {
    transaction.add(set);
    if (!liveSets.has(set.name)) transaction.flush(set);
  }
  for (const element of ruleset.elements) transaction.add(element);
  for (const set of ruleset.sets) for (const element of liveElements(set, listing, live)) transaction.add(element);
  for (const chain of ruleset.chains) transaction.add(chain).flush(chain);
  for (const rule of ruleset.rules) transaction.add(rule);
  return transaction;
}

/** The same by way of an empty table, still in one transaction: for what somebody has made of it that nothing else undoes. */
export function planRebuild(
  listing: TableListing | undefined,
  ruleset: Ruleset,
  live: readonly NftElement[],
): Transaction {
  const kept = ruleset.sets.flatMap((set) =>
    liveElements(set, without(listing, set.name), [...carried(listing, set), ...live]),
  );
  return new Transaction().destroy({ kind: "table" }).append(planLoad(undefined, ruleset, kept));
}

/**
 * The wanted table as text for `nft -f`: loads on an empty kernel, and a second time over itself without closing a door
 * that is open. No addresses of clients, no steps.
 */
export function renderRuleset(spec: GateSpec): string {
  return renderTransaction(planLoad(undefined, rulesetOf(spec), []));
}

/** Removes what is in the way: rules first, then chains and sets that are not wanted, or not in this shape. */
function clearAway(transaction: Transaction, listing: TableListing | undefined, ruleset: Ruleset): void {
  const chains = new Map(ruleset.chains.map((chain) => [chain.name, chain]));
  for (const name of listing?.chains.keys() ?? []) transaction.flush({ kind: "chain", name });
  for (const [name, { chain }] of listing?.chains ?? []) {
    const wanted = chains.get(name);
    if (wanted === undefined || chain?.hook?.priority !== wanted.hook?.priority)
      transaction.delete({ kind: "chain", name });
  }
  const sets = new Map(ruleset.sets.map((set) => [set.name, set]));
  for (const [name, found] of listing?.sets ?? []) {
    const wanted = sets.get(name);
    if (wanted === undefined || !sameShape(wanted, found)) transaction.delete({ kind: "set", name, type: [] });
  }
}

/** Whether a set need not be made anew. */
export function sameShape(wanted: NftSet, found: SetListing): boolean {
  return found.set !== undefined && renderShape(found.set) === renderShape(wanted) && found.set.size === wanted.size;
}

/** What must be added to a live set. A set that has become smaller keeps those that last longest. */
function liveElements(set: NftSet, listing: TableListing | undefined, live: readonly NftElement[]): NftElement[] {
  const found = listing?.sets.get(set.name);
  const stays = found !== undefined && sameShape(set, found);
  const there = new Set(stays ? found.elements.map(({ key }) => renderKey(key)) : []);
  const byKey = new Map<string, NftElement>();
  for (const element of stays ? live : [...carried(listing, set), ...live]) {
    const key = renderKey(element.key);
    if (element.set === set.name && !there.has(key)) byKey.set(key, element);
  }
  const elements = [...byKey.values()];
  if (set.size === undefined || elements.length <= set.size) return elements;
  return elements
    .toSorted((one, other) => (other.timeoutMs ?? Infinity) - (one.timeoutMs ?? Infinity))
    .slice(0, set.size);
}

/** The elements of a live set that is made anew, with the time that is left of each. */
function carried(listing: TableListing | undefined, set: NftSet): NftElement[] {
  if (!liveSets.has(set.name)) return [];
  return (listing?.sets.get(set.name)?.elements ?? []).flatMap(({ expiresMs, timeoutMs, ...element }) => {
    if (timeoutMs === undefined) return [element];
    return expiresMs === undefined || expiresMs <= 0 ? [] : [{ ...element, timeoutMs: expiresMs }];
  });
}

function without(listing: TableListing | undefined, set: string): TableListing | undefined {
  if (listing === undefined) return undefined;
  return { ...listing, sets: new Map([...listing.sets].filter(([name]) => name !== set)) };
}
