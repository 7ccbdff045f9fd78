import { type WireEnds, type WirePacket, wireFrame } from "./wire-frame.ts";

/** Addresses that follow each other. */
export interface SourceRange {
  readonly first: string;
  readonly count: number;
  /** IPv6: what follows each other, addresses of one network (128, default) or networks of that length (64). */
  readonly prefixBits?: 64 | 128;
}

/** Packets alike but for their source, source port and number. */
export interface SpoofedPackets {
  readonly packet: Omit<WirePacket, "source">;
  readonly sources: SourceRange;
}

const fileHeaderBytes = 24;
const packetHeaderBytes = 16;
const ethernetBytes = 14;

/**
 * A savefile (pcap-savefile(5)) of so many packets, of each kind in turn, each from the next source of its range. A million
 * takes a second: a frame is made once for each kind, and only what differs is written anew, with checksums brought
 * up to date as RFC 1624 has it.
 */
export function spoofedSavefile(kinds: readonly SpoofedPackets[], count: number, ends: WireEnds): Uint8Array {
  const made = kinds.map((kind) => new SpoofedFrame(kind, ends));
  const bytes = made.reduce((sum, frame) => sum + packetHeaderBytes + frame.length, 0);
  const out = Buffer.alloc(fileHeaderBytes + bytes * Math.ceil(count / kinds.length));
  out.writeUInt32LE(0xa1b2c3d4, 0);
  out.writeUInt16LE(2, 4);
  out.writeUInt16LE(4, 6);
  out.writeUInt32LE(65_535, 16);
  out.writeUInt32LE(1, 20);
  let end = fileHeaderBytes;
  for (let at = 0; at < count; at++) {
    const frame = made[at % made.length] as SpoofedFrame;
    out.writeUInt32LE(1_700_000_000 + Math.floor(at / 1e6), end);
    out.writeUInt32LE(at % 1e6, end + 4);
    out.writeUInt32LE(frame.length, end + 8);
    out.writeUInt32LE(frame.length, end + 12);
    frame.write(Math.floor(at / made.length), at, out, end + packetHeaderBytes);
    end += packetHeaderBytes + frame.length;
  }
  return out.subarray(0, end);
}

/** One frame that is written again and again, each time from another source. */
class SpoofedFrame {
  private readonly bytes: Buffer;
  private readonly count: number;
  private readonly first: number;
  /** Where the part of the source that differs is, and the transport header with its checksum. */
  private readonly sourceAt: number;
  private readonly transportAt: number;
  private readonly transportSumAt: number;
  /** Where the IPv4 header has its checksum; IPv6 has none. */
  private readonly headerSumAt: number | undefined;
  private readonly isTcp: boolean;

  constructor({ packet, sources }: SpoofedPackets, ends: WireEnds) {
    this.bytes = Buffer.from(wireFrame({ ...packet, source: sources.first }, ends));
    const isSix = sources.first.includes(":");
    this.count = sources.count;
    this.sourceAt = isSix ? ethernetBytes + (sources.prefixBits === 64 ? 12 : 20) : ethernetBytes + 12;
    this.first = this.bytes.readUInt32BE(this.sourceAt);
    this.headerSumAt = isSix ? undefined : ethernetBytes + 10;
    this.transportAt = ethernetBytes + (isSix ? 40 : 20);
    this.isTcp = packet.protocol === "tcp";
    this.transportSumAt = this.transportAt + (this.isTcp ? 16 : 6);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Writes the frame from the source of this number in its range; `serial` tells it from every other one. */
  write(source: number, serial: number, into: Buffer, at: number): void {
    const address = this.first + (source % this.count);
    const sums = this.headerSumAt === undefined ? [this.transportSumAt] : [this.headerSumAt, this.transportSumAt];
    this.change(this.sourceAt, address >>> 16, sums);
    this.change(this.sourceAt + 2, address & 0xffff, sums);
    this.change(this.transportAt, 1024 + (serial % 60_000), [this.transportSumAt]);
    if (this.isTcp) this.change(this.transportAt + 6, serial & 0xffff, [this.transportSumAt]);
    this.bytes.copy(into, at);
  }

  /** Another value for two bytes, and the checksums that cover them: ~(~HC + ~m + m') (RFC 1624, section 3). */
  private change(at: number, value: number, sumsAt: readonly number[]): void {
    const before = this.bytes.readUInt16BE(at);
    if (before === value) return;
    this.bytes.writeUInt16BE(value, at);
    for (const sumAt of sumsAt) {
      let sum = (~this.bytes.readUInt16BE(sumAt) & 0xffff) + (~before & 0xffff) + value;
      sum = (sum & 0xffff) + (sum >>> 16);
      sum = (sum & 0xffff) + (sum >>> 16);
      this.bytes.writeUInt16BE(~sum & 0xffff, sumAt);
    }
  }
}
