import type { Frame, LinkType } from "../decode/frame.ts";
import { Hearing } from "./hearing.ts";
import type { TrafficCounts } from "./knock-record.ts";
import { linkTypeOfName } from "./link-type.ts";
import { type Drained, PcapSession, snapBytes } from "./pcap-session.ts";

/** The frame that is handed out again and again. */
class FrameBuffer implements Frame {
  bytes: Uint8Array = new Uint8Array(0);
  stampMicros = 0;
  readonly linkType: LinkType;
  readonly interface: string;

  constructor(linkType: LinkType, name: string) {
    this.linkType = linkType;
    this.interface = name;
  }
}

/** What a tap tells the child. */
export interface TapReceiver {
  /** The frame is valid until the call returns. */
  frame(frame: Frame): void;
  /** All packets of one wake-up were handed over. */
  drained(): void;
  /** The tap will not see packets any more, or only late. */
  deaf(message: string): void;
}

/** One interface captured by the child. Opens in the constructor, which throws a sentence when it cannot. */
export class LiveTap {
  readonly name: string;
  readonly #link: number;
  readonly #session: PcapSession;
  readonly #frame: FrameBuffer;
  /** A view for each length, so that a packet costs no new one. */
  readonly #views: Uint8Array[] = [];
  readonly #receiver: TapReceiver;
  readonly #hearing: Hearing;
  #reported: TrafficCounts = { link: 0, packets: 0, kernelDrops: 0, interfaceDrops: 0 };

  constructor(name: string, link: number, filter: string, receiver: TapReceiver) {
    this.name = name;
    this.#link = link;
    this.#receiver = receiver;
    this.#hearing = new Hearing(name);
    this.#session = new PcapSession(name, filter, this.#packet, (drained) => this.#woken(drained));
    const linkType = linkTypeOfName(this.#session.link_type);
    if (linkType === undefined) throw new Error(`frames of ${this.#session.link_type} are not understood`);
    this.#frame = new FrameBuffer(linkType, name);
    for (let length = 0; length <= snapBytes; length++) this.#views.push(this.#session.buf.subarray(0, length));
  }

  readonly #packet = (_bytes: Buffer, length: number, stampMicros: number): void => {
    this.#frame.bytes = this.#views[length] ?? this.#frame.bytes;
    this.#frame.stampMicros = stampMicros;
    this.#receiver.frame(this.#frame);
  };

  #woken(drained: Drained): void {
    this.#receiver.drained();
    this.#tell(this.#hearing.woken(drained));
  }

  /** Looks for packets without being woken, so that a tap gone deaf is found, and serves on, late, until it is replaced. */
  look(): void {
    this.#tell(this.#hearing.looked(this.#session.drain()));
  }

  #tell(deaf: string | undefined): void {
    if (deaf !== undefined) this.#receiver.deaf(deaf);
  }

  /** What was counted since this was last asked; libpcap's own counters only grow, modulo 2^32. */
  takeCounts(): TrafficCounts {
    const { ps_recv: packets, ps_drop: kernelDrops, ps_ifdrop: interfaceDrops } = this.#session.stats();
    const before = this.#reported;
    this.#reported = { link: this.#link, packets, kernelDrops, interfaceDrops };
    return {
      link: this.#link,
      packets: (packets - before.packets) >>> 0,
      kernelDrops: (kernelDrops - before.kernelDrops) >>> 0,
      interfaceDrops: (interfaceDrops - before.interfaceDrops) >>> 0,
    };
  }
}
