import type { Address } from "../policy/address.ts";

/** IP protocol numbers, https://www.iana.org/assignments/protocol-numbers. */
export const protocolNumber = { tcp: 6, udp: 17 } as const;

/** The flag bits of a TCP header (RFC 9293, 3.1); UDP has none. */
export const tcpFlag = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;
export type TcpFlag = keyof typeof tcpFlag;

/**
 * One decoded packet. A producer may hand out the same object again and again: it is valid until the receiver returns, and
 * whoever keeps something copies it.
 */
export interface Knock {
  /** When the kernel saw it, on the monotonic clock, in microseconds; in a savefile the recorded stamp. */
  readonly atMicros: number;
  /** The kernel's time stamp as it was, microseconds since the epoch: part of the packet's identity. */
  readonly stampMicros: number;
  readonly source: Address;
  readonly target: Address;
  /** 6 or 17. */
  readonly protocol: number;
  /** The destination port: what is knocked on. 0 to 65535. */
  readonly port: number;
  readonly sourcePort: number;
  /** `tcpFlag` bits; 0 for UDP. */
  readonly flags: number;
  /** TCP: the sequence number. UDP: length << 16 | checksum. Unsigned. With `sourcePort` and `ipId` it tells a retransmission. */
  readonly sequenceNumber: number;
  /** UDP over IPv4: the identification field. Else 0: TCP needs none, IPv6 has none. */
  readonly ipId: number;
}

/** Why a frame yields no knock: the closed list, also the label of `decode_discarded_packets_total`. */
export const dropReasons = [
  "truncated",
  "malformed",
  "not-ip",
  "later-fragment",
  "other-protocol",
  "outgoing",
  "not-local",
  "not-watched",
  "duplicate",
] as const;
export type DropReason = (typeof dropReasons)[number];
