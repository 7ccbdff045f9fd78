import ipaddr from "ipaddr.js";

/**
 * One IP address as four 32-bit words in network order. An IPv4 address is held in its mapped form
 * `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2), so that one comparison serves both families. Never changed after it was made,
 * except in a record that says so.
 */
export type Address = Uint32Array;

/** IPv4 or IPv6, as nftables and the metrics name them. */
export type Family = "ipv4" | "ipv6";

/** A range of addresses: the words of its first address, and how many leading bits of the 128 are fixed. */
export interface Cidr {
  readonly address: Address;
  /** 0 to 128; an IPv4 prefix length counts from 96. */
  readonly prefixBits: number;
}

/** The second-highest word of every IPv4 address. */
const mappedWord = 0xffff;

/**
 * Reads an address as people write it. IPv4 only in four decimal parts without leading zeros (`010.0.0.1` and `10.1` are
 * refused: other programs read them as other addresses); IPv6 without a zone. `::ffff:a.b.c.d` is the IPv4 address.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(":")) return parseSix(text);
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) || /(^|\.)0\d/.test(text)) return undefined;
  const [a, b, c, d] = ipaddr.IPv4.parse(text).octets;
  return Uint32Array.of(0, 0, mappedWord, ((a ?? 0) << 24) | ((b ?? 0) << 16) | ((c ?? 0) << 8) | (d ?? 0));
}

/** The longest text of an IPv6 address, with an IPv4 tail. */
const longestSix = 45;

/** A dotted tail is turned into two groups first: ipaddr.js reads `::1.2.3.4` as `::ffff:1.2.3.4`, and octal or hexadecimal parts. */
function parseSix(text: string): Address | undefined {
  if (text.length > longestSix || text.includes("%")) return undefined;
  const tailAt = text.lastIndexOf(":") + 1;
  const tail = text.slice(tailAt);
  if (!tail.includes(".")) return parseGroups(text);
  const four = parseAddress(tail)?.[3];
  return four === undefined
    ? undefined
    : parseGroups(`${text.slice(0, tailAt)}${(four >>> 16).toString(16)}:${(four & 0xffff).toString(16)}`);
}

function parseGroups(text: string): Address | undefined {
  if (/[0-9a-f]{5}/i.test(text) || !ipaddr.IPv6.isValid(text)) return undefined;
  const parts = ipaddr.IPv6.parse(text).parts;
  const word = (at: number) => ((parts[at] ?? 0) << 16) | (parts[at + 1] ?? 0);
  return Uint32Array.of(word(0), word(2), word(4), word(6));
}

/** Whether these words are an IPv4 address. */
export function familyOf(address: Address): Family {
  return address[0] === 0 && address[1] === 0 && address[2] === mappedWord ? "ipv4" : "ipv6";
}

/** The canonical text: four decimal parts, or IPv6 as RFC 5952 has it. */
export function formatAddress(address: Address): string {
  const last = address[3] ?? 0;
  if (familyOf(address) === "ipv4") return `${last >>> 24}.${(last >>> 16) & 255}.${(last >>> 8) & 255}.${last & 255}`;
  const parts = [...address].flatMap((word) => [word >>> 16, word & 0xffff]);
  return new ipaddr.IPv6(parts).toRFC5952String();
}

/** A copy that belongs to the caller, for an address taken from a reused record. */
export function copyAddress(address: Address): Address {
  return address.slice();
}

/** Whether both are the same address. */
export function sameAddress(one: Address, other: Address): boolean {
  return one[3] === other[3] && one[2] === other[2] && one[1] === other[1] && one[0] === other[0];
}

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32`, or a single address. Host bits must be zero, so that a slip of the pen is noticed
 * and not silently widened.
 */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText = "", bitsText, ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  const familyBits = addressText.includes(":") ? 128 : 32;
  if (bitsText === undefined) return { address, prefixBits: 128 };
  if (!/^(0|[1-9]\d{0,2})$/.test(bitsText) || Number(bitsText) > familyBits) return undefined;
  const cidr = { address, prefixBits: Number(bitsText) + 128 - familyBits };
  return sameAddress(firstAddress(cidr), address) ? cidr : undefined;
}

/** The canonical text; a single address has no prefix length. */
export function formatCidr(cidr: Cidr): string {
  const text = formatAddress(cidr.address);
  if (cidr.prefixBits === 128) return text;
  return `${text}/${familyOfCidr(cidr) === "ipv4" ? cidr.prefixBits - 96 : cidr.prefixBits}`;
}

/** The family a range lies in; `::/0` is IPv6 although it contains the mapped words. */
export function familyOfCidr(cidr: Cidr): Family {
  return cidr.prefixBits >= 96 ? familyOf(cidr.address) : "ipv6";
}

/** Whether the address lies in the range. An IPv6 range, `::/0` too, contains no IPv4 address. */
export function contains(cidr: Cidr, address: Address): boolean {
  if (cidr.prefixBits < 96 && familyOf(address) === "ipv4") return false;
  for (let word = 0; word < 4; word++) {
    const mask = wordMask(cidr.prefixBits, word);
    if (((address[word] ?? 0) & mask) !== ((cidr.address[word] ?? 0) & mask)) return false;
  }
  return true;
}

/** Whether some address lies in both ranges: one of them then contains the other. */
export function overlap(one: Cidr, other: Cidr): boolean {
  const [wider, narrower] = one.prefixBits <= other.prefixBits ? [one, other] : [other, one];
  return familyOfCidr(one) === familyOfCidr(other) && contains(wider, narrower.address);
}

function firstAddress(cidr: Cidr): Address {
  return cidr.address.map((word, at) => word & wordMask(cidr.prefixBits, at));
}

/** The fixed bits of one word under a prefix length. */
function wordMask(prefixBits: number, word: number): number {
  const bits = Math.min(32, Math.max(0, prefixBits - word * 32));
  return bits === 0 ? 0 : -1 << (32 - bits);
}
