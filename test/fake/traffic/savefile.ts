import type { Packet } from "../../../src/decode/packet.ts";
import { familyOf } from "../../../src/policy/address.ts";

const fileHeaderBytes = 24;
const packetHeaderBytes = 16;
const ethernetBytes = 14;

/**
 * A savefile (pcap-savefile(5)) of packets as Ethernet frames, of which only the headers were captured, as `tcpdump -s 64`
 * does. Checksums are 0: nobody sends these.
 */
export function trafficSavefile(packets: readonly Packet[]): Buffer {
  const lengths = packets.map((packet) => ethernetBytes + ipBytes(packet) + transportBytes(packet));
  const out = Buffer.alloc(lengths.reduce((sum, length) => sum + packetHeaderBytes + length, fileHeaderBytes));
  out.writeUInt32LE(0xa1b2c3d4, 0);
  out.writeUInt16LE(2, 4);
  out.writeUInt16LE(4, 6);
  out.writeUInt32LE(65_535, 16);
  out.writeUInt32LE(1, 20);
  let at = fileHeaderBytes;
  for (const [index, packet] of packets.entries()) {
    const length = lengths[index] ?? 0;
    out.writeUInt32LE(Math.floor(packet.stampMicros / 1e6), at);
    out.writeUInt32LE(packet.stampMicros % 1e6, at + 4);
    out.writeUInt32LE(length, at + 8);
    out.writeUInt32LE(length + payloadBytes(packet), at + 12);
    writeFrame(out, at + packetHeaderBytes, packet);
    at += packetHeaderBytes + length;
  }
  return out;
}

function isFour({ source }: Packet): boolean {
  return familyOf(source) === "ipv4";
}

function ipBytes(packet: Packet): number {
  return isFour(packet) ? 20 : 40;
}

function transportBytes({ protocol }: Packet): number {
  return protocol === 6 ? 20 : 8;
}

/** What a recording keeps in `sequenceNumber`: the payload of TCP, the length and checksum of UDP, the message of ICMP. */
function payloadBytes({ protocol, sequenceNumber }: Packet): number {
  if (protocol === 6) return sequenceNumber;
  return (protocol === 17 ? sequenceNumber >>> 16 : sequenceNumber) - 8;
}

function writeFrame(out: Buffer, at: number, packet: Packet): void {
  const ip = at + ethernetBytes;
  const total = transportBytes(packet) + payloadBytes(packet);
  out.writeUInt16BE(isFour(packet) ? 0x0800 : 0x86dd, at + 12);
  if (isFour(packet)) {
    out.writeUInt16BE(0x4500, ip);
    out.writeUInt16BE(20 + total, ip + 2);
    out.writeUInt16BE((64 << 8) | packet.protocol, ip + 8);
    out.writeUInt32BE(packet.source[3] ?? 0, ip + 12);
    out.writeUInt32BE(packet.target[3] ?? 0, ip + 16);
  } else {
    out.writeUInt32BE(0x60000000, ip);
    out.writeUInt16BE(total, ip + 4);
    out.writeUInt16BE((packet.protocol << 8) | 64, ip + 6);
    for (let word = 0; word < 4; word++) {
      out.writeUInt32BE(packet.source[word] ?? 0, ip + 8 + word * 4);
      out.writeUInt32BE(packet.target[word] ?? 0, ip + 24 + word * 4);
    }
  }
  writeTransport(out, ip + ipBytes(packet), packet);
}

function writeTransport(out: Buffer, at: number, packet: Packet): void {
  if (packet.protocol !== 6 && packet.protocol !== 17) {
    out.writeUInt8(packet.port, at);
    return;
  }
  out.writeUInt16BE(packet.sourcePort, at);
  out.writeUInt16BE(packet.port, at + 2);
  out.writeUInt32BE(packet.sequenceNumber, at + 4);
  if (packet.protocol === 6) out.writeUInt16BE(0x5000 | packet.flags, at + 12);
}

/** The packets of several savefiles of one link type, microseconds and this byte order, in one by their stamps. */
export function mergedSavefiles(files: readonly Buffer[]): Buffer {
  const records = files.flatMap((file) => recordsOf(file)).sort((one, other) => one.stampMicros - other.stampMicros);
  const header = files[0]?.subarray(0, fileHeaderBytes) ?? Buffer.alloc(0);
  return Buffer.concat([header, ...records.map(({ bytes }) => bytes)]);
}

function recordsOf(file: Buffer): { readonly stampMicros: number; readonly bytes: Buffer }[] {
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error("not a savefile of microseconds in this byte order");
  const records: { stampMicros: number; bytes: Buffer }[] = [];
  let at = fileHeaderBytes;
  while (at + packetHeaderBytes <= file.length) {
    const end = at + packetHeaderBytes + file.readUInt32LE(at + 8);
    const stampMicros = file.readUInt32LE(at) * 1e6 + file.readUInt32LE(at + 4);
    records.push({ stampMicros, bytes: file.subarray(at, end) });
    at = end;
  }
  return records;
}
