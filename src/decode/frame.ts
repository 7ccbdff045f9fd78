/** How the bytes of a frame begin; libpcap's names of link types, https://www.tcpdump.org/linktypes.html. */
export type LinkType = "ethernet" | "linux-cooked-v1" | "linux-cooked-v2" | "raw-ip" | "loopback";

/** Captured bytes with link type, time and interface. */
export interface Frame {
  /** At most 128 bytes; may be a view of a reused buffer, valid until the next frame is asked for. */
  readonly bytes: Uint8Array;
  readonly linkType: LinkType;
  /** The kernel's time stamp, microseconds since the epoch. */
  readonly stampMicros: number;
  /** The name of the interface, `any`, or the name of the savefile. */
  readonly interface: string;
}
