import type { Cursor } from "./cursor.ts";
import { type DropReason, protocolNumber } from "./knock.ts";
import type { KnockBuffer } from "./knock-buffer.ts";

/** Reads ports, flags and what tells a retransmission, by the protocol that the IP header has named. */
export function readTransport(cursor: Cursor, knock: KnockBuffer): DropReason | undefined {
  if (knock.protocol === protocolNumber.tcp) return readTcp(cursor, knock);
  return knock.protocol === protocolNumber.udp ? readUdp(cursor, knock) : "other-protocol";
}

/**
 * TCP (RFC 9293, 3.1). The first 14 bytes, up to the flags, must have been captured; a packet that itself has less than
 * the fixed 20 bytes is malformed, in a first fragment too (RFC 3128 tells why such fragments are attacks).
 */
function readTcp(cursor: Cursor, knock: KnockBuffer): DropReason | undefined {
  if (cursor.at + 20 > cursor.limit) return "malformed";
  const missing = cursor.missing(14);
  if (missing !== undefined) return missing;
  const headerBytes = (cursor.byte(12) >> 4) * 4;
  if (headerBytes < 20 || (!cursor.fragmented && cursor.at + headerBytes > cursor.limit)) return "malformed";
  knock.sourcePort = cursor.half(0);
  knock.port = cursor.half(2);
  knock.sequenceNumber = cursor.word(4);
  knock.flags = cursor.byte(13) & 0x3f;
  knock.ipId = 0;
  return undefined;
}

/** UDP (RFC 768). Its length must fit the packet, except in a first fragment, which holds only the beginning. */
function readUdp(cursor: Cursor, knock: KnockBuffer): DropReason | undefined {
  const missing = cursor.missing(8);
  if (missing !== undefined) return missing;
  const length = cursor.half(4);
  if (length < 8 || (!cursor.fragmented && cursor.at + length > cursor.limit)) return "malformed";
  knock.sourcePort = cursor.half(0);
  knock.port = cursor.half(2);
  knock.sequenceNumber = cursor.word(4);
  knock.flags = 0;
  return undefined;
}
