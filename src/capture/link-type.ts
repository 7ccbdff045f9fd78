import type { LinkType } from "../decode/frame.ts";

/**
 * libpcap's numbers of the link types we read, https://www.tcpdump.org/linktypes.html: 0 DLT_NULL, 1 Ethernet, 12 and 14
 * DLT_RAW as Linux and OpenBSD number it, 101 raw IP in files, 108 DLT_LOOP, 113 and 276 Linux cooked, 228 and 229 raw
 * IPv4 and IPv6.
 */
const linkTypes: ReadonlyMap<number, LinkType> = new Map([
  [0, "loopback"],
  [1, "ethernet"],
  [12, "raw-ip"],
  [14, "raw-ip"],
  [101, "raw-ip"],
  [108, "loopback"],
  [113, "linux-cooked-v1"],
  [228, "raw-ip"],
  [229, "raw-ip"],
  [276, "linux-cooked-v2"],
]);

/** The link type of a number, in a savefile or from a live capture; undefined where we do not read it. */
export function linkTypeOf(number: number): LinkType | undefined {
  return linkTypes.get(number);
}

const names: Readonly<Record<string, number>> = {
  LINKTYPE_NULL: 0,
  LINKTYPE_ETHERNET: 1,
  LINKTYPE_RAW: 101,
  LINKTYPE_LINUX_SLL: 113,
};

/** The link type as npm pcap 3.1 tells it: `LINKTYPE_ETHERNET`, or `Unknown linktype 276` for what it has no name for. */
export function linkTypeOfName(name: string): LinkType | undefined {
  const unknown = /^Unknown linktype (\d+)$/.exec(name);
  return linkTypeOf(unknown === null ? (names[name] ?? -1) : Number(unknown[1]));
}
