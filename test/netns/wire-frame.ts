import { addressBytes, half, word } from "../fixture/capture-frames.ts";

/** One packet to put on the wire, with right lengths and checksums. */
export interface WirePacket {
  readonly source: string;
  readonly target: string;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** Default 40000. */
  readonly sourcePort?: number;
  /** TCP flags as bits; default SYN (2). */
  readonly flags?: number;
  /** TCP sequence number; default 1. */
  readonly sequenceNumber?: number;
  /** IPv4 identification; default 0. */
  readonly ipId?: number;
  /** UDP payload; default one NUL byte, as knockd's client sends. */
  readonly payload?: readonly number[];
}

/** Hardware addresses in hexadecimal, with colons. */
export interface WireEnds {
  readonly from: string;
  readonly to: string;
}

const macBytes = (mac: string): number[] => mac.split(":").map((byte) => Number.parseInt(byte, 16));

/** The Internet checksum (RFC 1071). */
function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function transportBytes(packet: WirePacket, sum: number): number[] {
  const ports = [...half(packet.sourcePort ?? 40_000), ...half(packet.port)];
  if (packet.protocol === "udp") {
    const payload = packet.payload ?? [0];
    return [...ports, ...half(8 + payload.length), ...half(sum), ...payload];
  }
  const header = [...word(packet.sequenceNumber ?? 1), ...word(0), 0x50, packet.flags ?? 2, ...half(64_240)];
  return [...ports, ...header, ...half(sum), ...half(0)];
}

function summedTransport(packet: WirePacket): number[] {
  const bare = transportBytes(packet, 0);
  const addresses = [...addressBytes(packet.source), ...addressBytes(packet.target)];
  const pseudo = [...addresses, ...word(bare.length), ...word(packet.protocol === "udp" ? 17 : 6)];
  return transportBytes(packet, checksum([...pseudo, ...bare]) || 0xffff);
}

function ipBytes(packet: WirePacket): number[] {
  const body = summedTransport(packet);
  const protocol = packet.protocol === "udp" ? 17 : 6;
  const addresses = [...addressBytes(packet.source), ...addressBytes(packet.target)];
  if (packet.source.includes(":")) return [0x60, 0, 0, 0, ...half(body.length), protocol, 64, ...addresses, ...body];
  const start = [0x45, 0, ...half(20 + body.length), ...half(packet.ipId ?? 0), 0, 0, 64, protocol];
  return [...start, ...half(checksum([...start, 0, 0, ...addresses])), ...addresses, ...body];
}

/** The packet in an Ethernet frame, ready to be sent. */
export function wireFrame(packet: WirePacket, ends: WireEnds): Uint8Array {
  const type = packet.source.includes(":") ? 0x86dd : 0x0800;
  return Uint8Array.from([...macBytes(ends.to), ...macBytes(ends.from), ...half(type), ...ipBytes(packet)]);
}

/** A savefile with these Ethernet frames, one microsecond apart (pcap-savefile(5)). */
export function savefile(frames: readonly Uint8Array[]): Uint8Array {
  const out = Buffer.alloc(24 + frames.reduce((sum, frame) => sum + 16 + frame.length, 0));
  out.writeUInt32LE(0xa1b2c3d4, 0);
  out.writeUInt16LE(2, 4);
  out.writeUInt16LE(4, 6);
  out.writeUInt32LE(65_535, 16);
  out.writeUInt32LE(1, 20);
  let at = 24;
  for (const [index, frame] of frames.entries()) {
    out.writeUInt32LE(1_700_000_000 + Math.floor(index / 1e6), at);
    out.writeUInt32LE(index % 1e6, at + 4);
    out.writeUInt32LE(frame.length, at + 8);
    out.writeUInt32LE(frame.length, at + 12);
    out.set(frame, at + 16);
    at += 16 + frame.length;
  }
  return out;
}
