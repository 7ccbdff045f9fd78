import type { Cursor } from "./cursor.ts";
import type { LinkType } from "./frame.ts";
import type { DropReason } from "./knock.ts";

/** What follows the link layer, or why nothing can be read. */
export type NetworkLayer = "ipv4" | "ipv6" | DropReason;

/** EtherTypes, https://www.iana.org/assignments/ieee-802-numbers; 0x9100 is the old one for stacked tags. */
const etherType = { ipv4: 0x0800, ipv6: 0x86dd, vlan: 0x8100, serviceVlan: 0x88a8, oldServiceVlan: 0x9100 } as const;

/** More tags than any network stacks; a frame with more is made up. */
const mostTags = 4;

/** The cooked packet type of what this host sends itself (packet(7), PACKET_OUTGOING). */
const outgoingPacket = 4;

/** The hardware type of the loopback link in a cooked header (ARPHRD_LOOPBACK in if_arp.h). */
const loopbackHardware = 772;

/** Address families of a loopback header: AF_INET everywhere 2; AF_INET6 is 10 on Linux, 24, 28 or 30 on the BSDs and macOS. */
const inet = 2;
const inetSix: ReadonlySet<number> = new Set([10, 24, 28, 30]);

/**
 * Moves the cursor to the IP header and says of which version it claims to be. Formats:
 * https://www.tcpdump.org/linktypes.html.
 */
export function readLinkLayer(cursor: Cursor, linkType: LinkType): NetworkLayer {
  switch (linkType) {
    case "ethernet":
      return readEthernet(cursor);
    case "linux-cooked-v1":
      return readCooked(cursor, 16, 0, 2, 14);
    case "linux-cooked-v2":
      return readCooked(cursor, 20, 10, 8, 0);
    case "raw-ip":
      return readRaw(cursor);
    case "loopback":
      return readLoopback(cursor);
    default:
      return linkType satisfies never;
  }
}

/** Destination, source, type. Linux's `lo` is Ethernet whose two addresses are zero. */
function readEthernet(cursor: Cursor): NetworkLayer {
  const missing = cursor.missing(14);
  if (missing !== undefined) return missing;
  cursor.loopback = cursor.word(0) === 0 && cursor.word(4) === 0 && cursor.word(8) === 0;
  const type = cursor.half(12);
  cursor.at += 14;
  return readTags(cursor, type);
}

/** Both cooked headers hold packet type, hardware type and EtherType, in other places; in version 2 the packet type is one byte. */
function readCooked(cursor: Cursor, size: number, packetAt: number, hardwareAt: number, typeAt: number): NetworkLayer {
  const missing = cursor.missing(size);
  if (missing !== undefined) return missing;
  const packetType = packetAt === 0 ? cursor.half(0) : cursor.byte(packetAt);
  cursor.outgoing = packetType === outgoingPacket;
  cursor.loopback = cursor.half(hardwareAt) === loopbackHardware;
  const type = cursor.half(typeAt);
  cursor.at += size;
  const network = readTags(cursor, type);
  if (network === "ipv4") return skipHiddenTags(cursor, network, 4, etherType.ipv4);
  return network === "ipv6" ? skipHiddenTags(cursor, network, 6, etherType.ipv6) : network;
}

/**
 * Since Linux 6.11 a cooked header names the innermost type although inner tags still lie before the IP header (seen with
 * 6.18: type 0x0800, then `0065 0800 4500…`). A tag shows by not beginning with the version, and by the type behind it. One
 * of priority 2 (IPv4) or 3 (IPv6) looks like a header and is dropped as malformed.
 */
function skipHiddenTags(cursor: Cursor, network: NetworkLayer, version: number, type: number): NetworkLayer {
  for (let tags = 0; tags < mostTags; tags++) {
    if (cursor.missing(4) !== undefined || cursor.byte(0) >> 4 === version) return network;
    const next = cursor.half(2);
    if (next !== type && !isTag(next)) return network;
    cursor.at += 4;
  }
  return network;
}

/** IEEE 802.1Q and 802.1ad: while the type is that of a tag, two bytes of tag and the next type follow. */
function readTags(cursor: Cursor, firstType: number): NetworkLayer {
  let type = firstType;
  for (let tags = 0; isTag(type); tags++) {
    if (tags === mostTags) return "malformed";
    const missing = cursor.missing(4);
    if (missing !== undefined) return missing;
    type = cursor.half(2);
    cursor.at += 4;
  }
  if (type === etherType.ipv4) return "ipv4";
  return type === etherType.ipv6 ? "ipv6" : "not-ip";
}

function isTag(type: number): boolean {
  return type === etherType.vlan || type === etherType.serviceVlan || type === etherType.oldServiceVlan;
}

function readRaw(cursor: Cursor): NetworkLayer {
  const missing = cursor.missing(1);
  if (missing !== undefined) return missing;
  const version = cursor.byte(0) >> 4;
  if (version === 4) return "ipv4";
  return version === 6 ? "ipv6" : "not-ip";
}

/** Four bytes of address family, in the byte order of the machine that wrote it (DLT_NULL) or in network order (DLT_LOOP). */
function readLoopback(cursor: Cursor): NetworkLayer {
  const missing = cursor.missing(4);
  if (missing !== undefined) return missing;
  const family = cursor.byte(0) === 0 ? cursor.word(0) : cursor.byte(0) | (cursor.byte(1) << 8);
  cursor.loopback = true;
  cursor.at += 4;
  if (family === inet) return "ipv4";
  return inetSix.has(family) ? "ipv6" : "not-ip";
}
