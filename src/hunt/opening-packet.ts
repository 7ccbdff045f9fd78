import { protocolNumber, tcpFlag } from "../decode/knock.ts";
import { icmpNumber, icmpRequest, type Packet } from "../decode/packet.ts";
import { type Carrier, icmpPort } from "./flow.ts";

/** What a packet may be to the hunt: it opens a flow, it goes on with one, or it tells nothing. */
export type PacketRole = Carrier | "follows" | "nothing";

/**
 * Payloads that ping programs send unless told otherwise: none, 8 bytes (scanners), 32 (Windows), 40, 48, 56 (Linux, BSD),
 * 64; with eight bytes of header. Such an echo is nobody's knock: every administrator sends one before connecting.
 */
const ordinaryEchoBytes: ReadonlySet<number> = new Set([8, 16, 40, 48, 56, 64, 72]);

/** Tells by protocol, flags and size alone. Pure. */
export function roleOf(packet: Packet): PacketRole {
  switch (packet.protocol) {
    case protocolNumber.tcp:
      return roleOfTcp(packet.flags);
    case protocolNumber.udp:
      return "udp";
    default:
      return roleOfIcmp(packet);
  }
}

/**
 * With ACK it belongs to something that is under way, or pretends to: a knock made of plain ACKs cannot be told from the middle
 * of a connection. A reset refuses. What has neither, and is not a plain SYN, no TCP sends by itself (RFC 9293, 3.10).
 */
function roleOfTcp(flags: number): PacketRole {
  if (flags === tcpFlag.syn) return "syn";
  if ((flags & tcpFlag.ack) !== 0) return (flags & tcpFlag.rst) === 0 ? "follows" : "nothing";
  return flags === tcpFlag.rst ? "nothing" : "odd-flags";
}

function roleOfIcmp({ protocol, port: type, sequenceNumber: bytes }: Packet): PacketRole {
  const echo = protocol === icmpNumber.six ? icmpRequest.echoSix : icmpRequest.echo;
  if (type === echo) return ordinaryEchoBytes.has(bytes) ? "nothing" : "icmp";
  if (protocol === icmpNumber.six) return "nothing";
  const isRequest = type === icmpRequest.timestamp || type === icmpRequest.information || type === icmpRequest.mask;
  return isRequest ? "icmp" : "nothing";
}

/** The port that stands for the packet in its flow. */
export function flowPort(packet: Packet, role: Carrier): number {
  return role === "icmp" ? icmpPort(packet.port, packet.sequenceNumber) : packet.port;
}
