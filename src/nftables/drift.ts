import type { TableListing } from "./nft.ts";
import type { NftElement } from "./objects.ts";
import { renderKey } from "./render.ts";
import { liveSets, type Ruleset } from "./ruleset.ts";
import { sameShape } from "./table-plan.ts";

/**
 * What was listed right after our own load. Rules are compared with this and not with the text they were made from:
 * versions of nft print them differently. Handles tell a set that was made anew from one that is still ours.
 */
export interface Baseline {
  readonly tableHandle: number;
  readonly setHandles: ReadonlyMap<string, number>;
  readonly rules: ReadonlyMap<string, readonly string[]>;
}

/** Takes down how the table looks. */
export function baselineOf(listing: TableListing): Baseline {
  return {
    tableHandle: listing.handle,
    setHandles: new Map([...listing.sets].map(([name, { handle }]) => [name, handle])),
    rules: new Map([...listing.chains].map(([name, { rules }]) => [name, rules])),
  };
}

/** Whether this set, and not one of the same name that somebody made later, was there at the baseline. */
export function isOurs(listing: TableListing, set: string, baseline: Baseline): boolean {
  return listing.handle === baseline.tableHandle && listing.sets.get(set)?.handle === baseline.setHandles.get(set);
}

/**
 * How the table differs from the one wanted, a sentence each; empty where it does not. Granted and adopted elements are no
 * part of it: they come and go. Without a baseline the number of rules is compared. Pure.
 */
export function driftOf(listing: TableListing | undefined, ruleset: Ruleset, baseline: Baseline | undefined): string[] {
  if (listing === undefined) return ["the table is missing"];
  return [
    ...(listing.dormant ? ["the table was made dormant"] : []),
    ...(baseline !== undefined && listing.handle !== baseline.tableHandle ? ["the table was made anew"] : []),
    ...counterDrift(listing, ruleset),
    ...setDrift(listing, ruleset, baseline),
    ...chainDrift(listing, ruleset, baseline),
  ];
}

function counterDrift(listing: TableListing, ruleset: Ruleset): string[] {
  return ruleset.counters
    .filter(({ name }) => !listing.counters.has(name))
    .map(({ name }) => `the counter ${name} is missing`);
}

function setDrift(listing: TableListing, ruleset: Ruleset, baseline: Baseline | undefined): string[] {
  const differences: string[] = [];
  const wantedNames = new Set(ruleset.sets.map(({ name }) => name));
  for (const name of listing.sets.keys()) if (!wantedNames.has(name)) differences.push(`the set ${name} is not ours`);
  for (const set of ruleset.sets) {
    const found = listing.sets.get(set.name);
    if (found === undefined) differences.push(`the set ${set.name} is missing`);
    else if (!sameShape(set, found)) differences.push(`the set ${set.name} has another shape`);
    else if (liveSets.has(set.name)) {
      if (baseline !== undefined && !isOurs(listing, set.name, baseline))
        differences.push(`the set ${set.name} was made anew`);
    } else if (keysOf(found.elements) !== keysOf(ruleset.elements.filter((element) => element.set === set.name))) {
      differences.push(`the set ${set.name} has other elements`);
    }
  }
  return differences;
}

function chainDrift(listing: TableListing, ruleset: Ruleset, baseline: Baseline | undefined): string[] {
  const differences: string[] = [];
  const wantedNames = new Set(ruleset.chains.map(({ name }) => name));
  for (const name of listing.chains.keys())
    if (!wantedNames.has(name)) differences.push(`the chain ${name} is not ours`);
  for (const chain of ruleset.chains) {
    const found = listing.chains.get(chain.name);
    const count = ruleset.rules.filter((rule) => rule.chain === chain.name).length;
    const before = baseline?.rules.get(chain.name);
    if (found === undefined) differences.push(`the chain ${chain.name} is missing`);
    else if (found.chain === undefined || found.chain.hook?.priority !== chain.hook?.priority) {
      differences.push(`the chain ${chain.name} hangs elsewhere`);
    } else if (found.rules.length !== count || (before !== undefined && before.join("\n") !== found.rules.join("\n"))) {
      differences.push(`the chain ${chain.name} has other rules`);
    }
  }
  return differences;
}

function keysOf(elements: readonly NftElement[]): string {
  return elements
    .map(({ key }) => renderKey(key))
    .sort()
    .join("\n");
}
