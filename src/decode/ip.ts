import type { Cursor } from "./cursor.ts";
import type { DropReason } from "./knock.ts";
import type { KnockBuffer } from "./knock-buffer.ts";

/** The third word of an IPv4 address in mapped form. */
const mappedWord = 0xffff;

/** Next header values that an IPv6 packet may carry before its transport header (RFC 8200, section 4; IANA "IPv6 Extension Header Types"). */
const extension = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  destination: 60,
  mobility: 135,
  hostIdentity: 139,
  shim: 140,
} as const;

/** More headers than RFC 8200 allows in any order; a longer chain is made up. */
const mostExtensions = 10;

/**
 * Reads an IPv4 header (RFC 791): addresses and protocol go to the knock, the cursor to the transport header. The first
 * of several fragments passes; a later one has no ports. The header checksum is the kernel's business.
 */
export function readIpv4(cursor: Cursor, knock: KnockBuffer): DropReason | undefined {
  const missing = cursor.missing(20);
  if (missing !== undefined) return missing;
  const headerBytes = (cursor.byte(0) & 15) * 4;
  const totalBytes = cursor.half(2);
  if (cursor.byte(0) >> 4 !== 4 || headerBytes < 20 || totalBytes < headerBytes) return "malformed";
  cursor.limit = cursor.at + totalBytes;
  const fragment = cursor.half(6);
  if ((fragment & 0x1fff) !== 0) return "later-fragment";
  cursor.fragmented = (fragment & 0x2000) !== 0;
  knock.protocol = cursor.byte(9);
  knock.ipId = cursor.half(4);
  writeMapped(knock.source, cursor.word(12));
  writeMapped(knock.target, cursor.word(16));
  if (!isIpv4Source(cursor.word(12), cursor.loopback)) return "malformed";
  cursor.at += headerBytes;
  return undefined;
}

function writeMapped(address: Uint32Array, word: number): void {
  address[0] = 0;
  address[1] = 0;
  address[2] = mappedWord;
  address[3] = word;
}

/** Whether a grant for this source could mean one host: not this network, multicast, broadcast, or loopback from outside (RFC 6890). */
export function isIpv4Source(word: number, loopback: boolean): boolean {
  const first = word >>> 24;
  if (first === 127) return loopback;
  return first !== 0 && (first < 224 || first >= 240) && word !== 0xffffffff;
}

/**
 * Reads an IPv6 header and its extension headers (RFC 8200). A chain that ends in something else than TCP or UDP is left
 * to the caller; a length of zero (a jumbogram, RFC 2675) cannot be a knock.
 */
export function readIpv6(cursor: Cursor, knock: KnockBuffer): DropReason | undefined {
  const missing = cursor.missing(40);
  if (missing !== undefined) return missing;
  const payloadBytes = cursor.half(4);
  if (cursor.byte(0) >> 4 !== 6 || payloadBytes === 0) return "malformed";
  cursor.limit = cursor.at + 40 + payloadBytes;
  for (let word = 0; word < 4; word++) {
    knock.source[word] = cursor.word(8 + word * 4);
    knock.target[word] = cursor.word(24 + word * 4);
  }
  if (!isIpv6Source(knock.source, cursor.loopback) || isMapped(knock.target)) return "malformed";
  knock.ipId = 0;
  const first = cursor.byte(6);
  cursor.at += 40;
  return walkExtensions(cursor, knock, first);
}

/** A mapped address on the wire would be taken for IPv4, and open the door to somebody else (RFC 4942, 2.2). */
function isMapped(address: Uint32Array): boolean {
  return address[0] === 0 && address[1] === 0 && address[2] === mappedWord;
}

/** The same of an IPv6 address; one that stands for an IPv4 address is none (RFC 4942, 2.2). */
export function isIpv6Source(address: Uint32Array, loopback: boolean): boolean {
  if (isMapped(address) || (address[0] ?? 0) >>> 24 === 0xff) return false;
  if (address[0] !== 0 || address[1] !== 0 || address[2] !== 0) return true;
  return address[3] === 1 ? loopback : address[3] !== 0;
}

/** Leaves the cursor behind the last extension header. */
function walkExtensions(cursor: Cursor, knock: KnockBuffer, first: number): DropReason | undefined {
  let next = first;
  for (let headers = 0; isExtension(next); headers++) {
    const missing = cursor.missing(8);
    if (missing !== undefined) return missing;
    const dropped = checkExtension(cursor, next, headers);
    if (dropped !== undefined) return dropped;
    const bytes = extensionBytes(cursor, next);
    next = cursor.byte(0);
    cursor.at += bytes;
  }
  knock.protocol = next;
  return undefined;
}

function isExtension(next: number): boolean {
  switch (next) {
    case extension.hopByHop:
    case extension.routing:
    case extension.fragment:
    case extension.authentication:
    case extension.destination:
    case extension.mobility:
    case extension.hostIdentity:
    case extension.shim:
      return true;
    default:
      return false;
  }
}

/** Hop-by-hop options come first or not at all; a routing header with segments left means that the target is not the last one. */
function checkExtension(cursor: Cursor, kind: number, position: number): DropReason | undefined {
  if (position === mostExtensions || (kind === extension.hopByHop && position > 0)) return "malformed";
  if (kind === extension.routing && cursor.byte(3) !== 0) return "malformed";
  if (kind !== extension.fragment) return undefined;
  if ((cursor.half(2) & 0xfff8) !== 0) return "later-fragment";
  cursor.fragmented ||= (cursor.half(2) & 1) !== 0;
  return undefined;
}

/** Authentication counts in words of four bytes less two (RFC 4302), a fragment header has eight bytes, the others count in eights. */
function extensionBytes(cursor: Cursor, kind: number): number {
  if (kind === extension.fragment) return 8;
  return kind === extension.authentication ? (cursor.byte(1) + 2) * 4 : (cursor.byte(1) + 1) * 8;
}
