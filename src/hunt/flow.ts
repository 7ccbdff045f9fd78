import { protocolNumber } from "../decode/knock.ts";
import { icmpNumber } from "../decode/packet.ts";

/** What a packet that nobody answered was: the ordinary first packet of a connection, a datagram, or something stranger. */
export const carriers = ["syn", "udp", "odd-flags", "icmp"] as const;
export type Carrier = (typeof carriers)[number];

/** What one host sent to one port of another from one port of its own. Owned and changed by the hunter. */
export interface Flow {
  readonly carrier: Carrier;
  /** Destination port; for ICMP `icmpPort`. */
  readonly port: number;
  readonly sourcePort: number;
  readonly firstMicros: number;
  /** Wall clock, for people. */
  readonly firstStamp: number;
  /** Of its last opening packet: a retransmission moves it. */
  lastMicros: number;
  /** Opening packets: 1 unless it was retransmitted. */
  packets: number;
  /** Something other than a refusal came back, or the sender went on as only who was answered does. */
  answered: boolean;
  /** The same source had found the port closed before, without probing elsewhere first. */
  afterDenial: boolean;
  /** So often had the same source probed elsewhere and then found the port still closed. */
  failedKnocks: number;
  /** How long before it the same source tried the same port; 0 for the first time. */
  intervalMicros: number;
  /** How many intervals in a row were about as long as the one before. */
  regularIntervals: number;
}

/** One step of a suspected knock, as it is shown: `7000/tcp`, `62201/udp`, `echo of 1032 bytes/icmp`. */
export interface Step {
  readonly carrier: Carrier;
  readonly port: number;
}

/** ICMP has no ports: kind of message and size stand for one. */
export function icmpPort(type: number, bytes: number): number {
  return (type << 16) | bytes;
}

/** The IP protocol of a carrier. */
export function protocolOf(carrier: Carrier): number {
  if (carrier === "icmp") return icmpNumber.four;
  return carrier === "udp" ? protocolNumber.udp : protocolNumber.tcp;
}

/** As a person reads it. */
export function formatStep({ carrier, port }: Step): string {
  switch (carrier) {
    case "syn":
      return `${port}/tcp`;
    case "odd-flags":
      return `${port}/tcp-odd`;
    case "udp":
      return `${port}/udp`;
    case "icmp":
      return `${port >>> 16}:${port & 0xffff}/icmp`;
    default:
      return carrier satisfies never;
  }
}

/** Whether both are the same step. */
export function sameStep(one: Step, other: Step): boolean {
  return one.port === other.port && one.carrier === other.carrier;
}
