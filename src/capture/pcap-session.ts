import pcap from "pcap";

/**
 * The one door to npm `pcap` 3.1, and what is known of it: its dispatch calls back for one packet after the other and
 * returns only when none is left; the buffer and the header are reused; an error of libpcap comes back as -1 without its
 * text; when a link goes down libuv stops watching the descriptor and nothing tells, except a call without a packet.
 */

/** Of the native object behind a session. */
interface NativeSession {
  dispatch(bytes: Buffer, header: Buffer): number;
  read_callback: () => void;
}

/** As node_modules/pcap/pcap.js has it; its own types make the constructor private. */
interface SessionBase {
  readonly link_type: string;
  readonly buf: Buffer;
  readonly header: Buffer;
  readonly session: NativeSession;
  stats(): { ps_recv: number; ps_drop: number; ps_ifdrop: number };
}
type SessionConstructor = new (
  live: true,
  device: string,
  filter: string,
  bufferBytes: number,
  snapBytes: number,
  outputFile: string,
  monitor: boolean,
  timeoutMs: number,
  promiscuous: boolean,
) => SessionBase;

const Session = pcap.PcapSession as unknown as SessionConstructor;

/** Enough for Ethernet, two tags, IPv6, some extension headers and TCP up to its flags. */
export const snapBytes = 128;
const bufferBytes = 4 * 1024 * 1024;

// It warns of links without an IPv4 address, which are as good as others.
(pcap as unknown as { warningHandler: (message: string) => void }).warningHandler = () => undefined;

/** `libpcap version 1.10.3 (with TPACKET_V3)` is version 1.10.3. */
export function libpcapVersion(): string | undefined {
  return /version (\S+)/.exec(pcap.lib_version)?.[1];
}

/** What a look at the ring has brought; `failed` when the link is gone. */
export type Drained = "packets" | "nothing" | "failed";

/** Called with what lies in `bytes` and the length captured; the stamp in two parts. Nothing is valid after it returns. */
export type PacketHandler = (bytes: Buffer, length: number, stampMicros: number) => void;

/**
 * A live capture on one interface, in immediate mode: a timeout of 0 makes npm pcap set it, and libpcap then uses a ring of
 * single packets (TPACKET_V2). Not promiscuous. The constructor throws when the link is not there, privileges are missing
 * or the filter cannot be compiled. Packets come from `drain` and, once the loop runs, by themselves with `woken` after each
 * wake-up.
 */
export class PcapSession extends Session {
  readonly #packet: PacketHandler;
  #drained = false;

  constructor(device: string, filter: string, packet: PacketHandler, woken: (drained: Drained) => void) {
    super(true, device, filter, bufferBytes, snapBytes, "", false, 0, false);
    this.#packet = packet;
    this.session.read_callback = () => woken(this.drain());
  }

  /** The base class calls this name for each packet, with the bytes in `buf` and struct pcap_pkthdr in `header`. */
  on_packet_ready(): void {
    const { header } = this;
    const length = Math.min(header.readUInt32LE(8), this.buf.length);
    this.#packet(this.buf, length, header.readUInt32LE(0) * 1e6 + header.readUInt32LE(4));
    this.#drained = true;
  }

  /** Hands over every packet that waits. */
  drain(): Drained {
    this.#drained = false;
    const result = this.session.dispatch(this.buf, this.header);
    if (result < 0) return "failed";
    return this.#drained ? "packets" : "nothing";
  }
}
