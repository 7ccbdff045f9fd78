/** How a socket sees packets: all of a link (packet(7)), or those of one IP protocol (raw(7)). */
export const socketKinds = ["packet", "raw", "raw6"] as const;
export type SocketKind = (typeof socketKinds)[number];

/** One socket that sees packets that are for somebody else. */
export interface SniffingSocket {
  readonly kind: SocketKind;
  readonly inode: number;
  /** Packet: EtherType, 3 for all. Raw: the IP protocol, 255 for sending only. */
  readonly protocol: number;
}

/**
 * Reads /proc/net/packet, /proc/net/raw or raw6:
 *
 *     sk               RefCnt Type Proto  Iface R Rmem   User   Inode
 *     00000000a85df0d7 3      3    0003   1     1 0      0      6724774
 *
 *       sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 *       63: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 6724356 2 000000009161dfa1 0
 */
export function parseSocketTable(kind: SocketKind, text: string): readonly SniffingSocket[] {
  return text
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const cells = line.trim().split(/\s+/);
      if (kind === "packet") return { kind, inode: Number(cells[8]), protocol: Number.parseInt(cells[3] ?? "", 16) };
      return { kind, inode: Number(cells[9]), protocol: Number.parseInt(cells[1]?.split(":")[1] ?? "", 16) };
    })
    .filter(({ inode, protocol }) => Number.isInteger(inode) && Number.isInteger(protocol));
}

/**
 * Filters by the inode of their socket, as `ss -0 -b -e -n -H -O` prints them, one socket a line:
 *
 *     p_raw 0 0 *:eth0 * users:(("tcpdump",pid=28675,fd=4)) ino:6724774 sk:75 … bpf filter (33):  0x28 0 0 12, 0x15 …
 */
export function parseFilterListing(text: string): ReadonlyMap<number, string> {
  const found = text.split("\n").flatMap((line) => {
    const inode = /\bino:(\d+)\b/.exec(line)?.[1];
    const filter = /\bbpf filter \(\d+\):\s*(.*)$/.exec(line)?.[1];
    return inode === undefined || filter === undefined ? [] : [[Number(inode), filter] as const];
  });
  return new Map(found);
}
