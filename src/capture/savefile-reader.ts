import type { Frame, LinkType } from "../decode/frame.ts";
import { CaptureError } from "./capture-error.ts";
import { linkTypeOf } from "./link-type.ts";

const fileHeaderBytes = 24;
const packetHeaderBytes = 16;
/** The largest snapshot length that libpcap writes (MAXIMUM_SNAPLEN); a larger packet means a broken file. */
const mostPacketBytes = 262_144;
/** How much of a packet is looked at: more than any chain of headers that decodes. */
const frameBytes = 256;

const magic = { micros: 0xa1b2c3d4, nanos: 0xa1b23c4d, pcapng: 0x0a0d0d0a } as const;

interface FileHeader {
  readonly littleEndian: boolean;
  /** How many of the stamp's second part make a microsecond. */
  readonly perMicro: number;
  readonly linkType: LinkType;
}

/**
 * Reads a pcap file (draft-ietf-opsawg-pcap; microseconds or nanoseconds, either byte order), however it is cut into chunks.
 * Holds no more than one packet. A file may end inside a packet, as that of a tcpdump that was killed: `cut` tells.
 */
export class SavefileReader {
  readonly #name: string;
  #header: FileHeader | undefined;
  #pending: Buffer = Buffer.alloc(0);

  /** `name` becomes the frames' interface. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Whether the file's header was complete; an empty file is no capture. */
  get begun(): boolean {
    return this.#header !== undefined;
  }

  /** Whether bytes of a packet are left whose rest has not come. */
  get cut(): boolean {
    return this.begun && this.#pending.length > 0;
  }

  /** Takes the next bytes of the file. A frame is valid until `receive` returns. Throws CaptureError. */
  read(chunk: Buffer, receive: (frame: Frame) => void): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let at = 0;
    if (this.#header === undefined) {
      if (bytes.length >= 4) checkMagic(bytes);
      if (bytes.length < fileHeaderBytes) {
        this.#pending = Buffer.from(bytes);
        return;
      }
      this.#header = readHeader(bytes);
      at = fileHeaderBytes;
    }
    this.#pending = Buffer.from(bytes.subarray(this.#readPackets(this.#header, bytes, at, receive)));
  }

  /** Returns where the first incomplete packet begins. */
  #readPackets(header: FileHeader, bytes: Buffer, from: number, receive: (frame: Frame) => void): number {
    const word = (at: number) => (header.littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
    let at = from;
    while (at + packetHeaderBytes <= bytes.length) {
      const captured = word(at + 8);
      if (captured > mostPacketBytes)
        throw new CaptureError("savefile-format", `${this.#name} has a packet of ${captured} bytes`);
      const begin = at + packetHeaderBytes;
      if (begin + captured > bytes.length) break;
      receive({
        bytes: bytes.subarray(begin, begin + Math.min(captured, frameBytes)),
        linkType: header.linkType,
        stampMicros: word(at) * 1e6 + Math.floor(word(at + 4) / header.perMicro),
        interface: this.#name,
      });
      at = begin + captured;
    }
    return at;
  }
}

function checkMagic(bytes: Buffer): { littleEndian: boolean; perMicro: number } {
  for (const littleEndian of [true, false]) {
    const found = littleEndian ? bytes.readUInt32LE(0) : bytes.readUInt32BE(0);
    if (found === magic.micros) return { littleEndian, perMicro: 1 };
    if (found === magic.nanos) return { littleEndian, perMicro: 1000 };
    if (found === magic.pcapng) throw new CaptureError("savefile-pcapng", "its blocks are not read here");
  }
  throw new CaptureError("savefile-format", "its first four bytes are not those of one");
}

function readHeader(bytes: Buffer): FileHeader {
  const { littleEndian, perMicro } = checkMagic(bytes);
  const number = (littleEndian ? bytes.readUInt32LE(20) : bytes.readUInt32BE(20)) & 0xffff;
  const linkType = linkTypeOf(number);
  if (linkType === undefined)
    throw new CaptureError("savefile-link-type", `number ${number}; capture on an Ethernet link, or on \`any\``);
  return { littleEndian, perMicro, linkType };
}
