import type { Cursor } from "./cursor.ts";
import type { DropReason, Knock } from "./knock.ts";
import type { KnockBuffer } from "./knock-buffer.ts";

/**
 * One packet of either direction, for those who look at traffic instead of knocks. TCP and UDP as in a knock, whatever the
 * flags. ICMP: `port` is the type of the message, `sequenceNumber` its length in bytes with its header, the others are 0.
 */
export type Packet = Knock;

/** IP protocol numbers of ICMP and ICMPv6, https://www.iana.org/assignments/protocol-numbers. */
export const icmpNumber = { four: 1, six: 58 } as const;

/** Messages that somebody chooses to send (RFC 792, RFC 4443); the others are errors, answers, and IPv6 finding its neighbours. */
export const icmpRequest = { echo: 8, timestamp: 13, information: 15, mask: 17, echoSix: 128 } as const;

/** Reads type and length of a message; its eight bytes of header must have been captured. */
export function readIcmp(cursor: Cursor, packet: KnockBuffer): DropReason | undefined {
  const missing = cursor.missing(8);
  if (missing !== undefined) return missing;
  packet.port = cursor.byte(0);
  packet.sourcePort = 0;
  packet.sequenceNumber = cursor.limit - cursor.at;
  packet.flags = 0;
  packet.ipId = 0;
  return undefined;
}
