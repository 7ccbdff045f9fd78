import { type Address, type Cidr, copyAddress, familyOf, formatAddress } from "../policy/address.ts";

/** Addresses from first to last, inclusive, of one family. */
export interface AddressRange {
  readonly first: Address;
  readonly last: Address;
}

/** The range of a prefix. */
export function rangeOf(cidr: Cidr): AddressRange {
  const last = cidr.address.map((word, at) => {
    const bits = Math.min(32, Math.max(0, cidr.prefixBits - at * 32));
    return bits === 32 ? word : word | (0xffffffff >>> bits);
  });
  return { first: copyAddress(cidr.address), last };
}

/** Below zero where the first is the lower one, zero where they are the same. */
export function compareAddresses(one: Address, other: Address): number {
  for (let word = 0; word < 4; word++) {
    const difference = (one[word] ?? 0) - (other[word] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The same addresses in the fewest ranges, ascending: what the kernel makes of them with auto-merge. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const sorted = ranges.toSorted((one, other) => compareAddresses(one.first, other.first));
  const merged: AddressRange[] = [];
  for (const range of sorted) {
    const before = merged.at(-1);
    const after = before === undefined ? undefined : successor(before.last);
    if (before === undefined || (after !== undefined && compareAddresses(range.first, after) > 0)) merged.push(range);
    else if (compareAddresses(range.last, before.last) > 0)
      merged[merged.length - 1] = { first: before.first, last: range.last };
  }
  return merged;
}

/** How many leading bits are fixed if the range is one prefix, counted from the family's first bit; else undefined. */
export function prefixLength(range: AddressRange): number | undefined {
  let fixed = 0;
  while (fixed < 128 && bit(range.first, fixed) === bit(range.last, fixed)) fixed++;
  for (let at = fixed; at < 128; at++) if (bit(range.first, at) === 1 || bit(range.last, at) === 0) return undefined;
  return familyOf(range.first) === "ipv4" ? fixed - 96 : fixed;
}

/** `192.0.2.0/24`, `192.0.2.1-192.0.2.7`, or a single address. */
export function formatRange(range: AddressRange): string {
  const first = formatAddress(range.first);
  if (compareAddresses(range.first, range.last) === 0) return first;
  const length = prefixLength(range);
  return length === undefined ? `${first}-${formatAddress(range.last)}` : `${first}/${length}`;
}

function bit(address: Address, at: number): number {
  return ((address[at >>> 5] ?? 0) >>> (31 - (at & 31))) & 1;
}

/** The next address; undefined after the very last. */
function successor(address: Address): Address | undefined {
  const next = copyAddress(address);
  for (let word = 3; word >= 0; word--) {
    const value = ((next[word] ?? 0) + 1) >>> 0;
    next[word] = value;
    if (value !== 0) return next;
  }
  return undefined;
}
