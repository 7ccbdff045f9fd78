import { type Address, type Cidr, contains, familyOfCidr, formatAddress, overlap } from "./address.ts";

interface Claim {
  readonly range: Cidr;
  readonly owner: string;
}

/**
 * Who may knock one sequence of steps, and where: ranges of sources, for one target or for any. Answers in logarithmic
 * time, because a thousand tenants may share their steps as long as their sources differ.
 */
export class SourceClaims {
  /** By target and family; each list is ascending and its ranges are disjoint. */
  private readonly lists = new Map<string, Claim[]>();
  private readonly targets = new Set<string>();

  /** Who already claims some of these sources for a target that is the same or any. */
  ownerOf(target: Address | undefined, sources: readonly Cidr[]): string | undefined {
    const own = targetText(target);
    const targets = target === undefined ? [...this.targets] : [own, anyTarget];
    for (const text of targets) {
      for (const source of sources) {
        const list = this.lists.get(`${text} ${familyOfCidr(source)}`) ?? [];
        const at = firstAfter(list, source.address);
        for (const claim of [list[at - 1], list[at]])
          if (claim !== undefined && overlap(claim.range, source)) return claim.owner;
      }
    }
    return undefined;
  }

  /** Adds sources; those claimed before stay their owner's, unless a wider range swallows them. */
  claim(target: Address | undefined, sources: readonly Cidr[], owner: string): void {
    const text = targetText(target);
    this.targets.add(text);
    for (const range of sources) {
      const key = `${text} ${familyOfCidr(range)}`;
      const list = this.lists.get(key) ?? [];
      this.lists.set(key, list);
      insert(list, { range, owner });
    }
  }
}

const anyTarget = "any";

function targetText(target: Address | undefined): string {
  return target === undefined ? anyTarget : formatAddress(target);
}

function insert(list: Claim[], claim: Claim): void {
  const at = firstAfter(list, claim.range.address);
  const before = list[at - 1];
  if (before !== undefined && before.range.prefixBits <= claim.range.prefixBits && overlap(before.range, claim.range))
    return;
  const swallows = (other: Claim | undefined) => other !== undefined && contains(claim.range, other.range.address);
  const first = swallows(before) ? at - 1 : at;
  let end = at;
  while (swallows(list[end])) end++;
  list.splice(first, end - first, claim);
}

/** The position of the first range that begins after the address. */
function firstAfter(list: readonly Claim[], address: Address): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const claim = list[middle];
    if (claim !== undefined && compare(claim.range.address, address) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(one: Address, other: Address): number {
  for (let word = 0; word < 4; word++) {
    const difference = (one[word] ?? 0) - (other[word] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
