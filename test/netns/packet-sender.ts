import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";
import { type SpoofedPackets, spoofedSavefile } from "./spoofed-packets.ts";
import { savefile, type WireEnds, type WirePacket, wireFrame } from "./wire-frame.ts";
import type { World } from "./world.ts";

/** How fast, and how often the whole list is sent. */
export interface SendOptions {
  /** Packets a second; default as fast as the link takes them. */
  readonly perSecond?: number;
  /** Rounds over the list; default 1. */
  readonly rounds?: number;
  /** Ends after so many seconds, whatever is left; rounds are then without end. */
  readonly seconds?: number;
}

let files = 0;

/**
 * Puts exactly these packets on the wire, from one host to another, with tcpreplay: any source address, any flags, at a
 * given rate. The frames carry the hardware addresses of both hosts.
 */
export class PacketSender {
  private readonly world: World;
  private readonly from: Host;
  private readonly to: Host;

  constructor(world: World, from: Host, to: Host) {
    this.world = world;
    this.from = from;
    this.to = to;
  }

  /** Resolves to the number of packets sent, when all are on the wire. */
  async send(packets: readonly WirePacket[], options: SendOptions = {}): Promise<number> {
    const flood = this.start(packets, options);
    const { code } = await flood.ended;
    if (code !== 0) throw new Error(`tcpreplay ended with ${code}\n${flood.text}`);
    return sentPackets(flood);
  }

  /** Begins to send and returns at once; `sentPackets` reads the number when it has ended. */
  start(packets: readonly WirePacket[], options: SendOptions = {}): RunningProcess {
    return this.startSavefile(savefile(packets.map((packet) => wireFrame(packet, this.ends))), options);
  }

  /** The same with so many packets of each kind in turn, from sources that change. */
  startSpoofed(kinds: readonly SpoofedPackets[], count: number, options: SendOptions = {}): RunningProcess {
    return this.startSavefile(spoofedSavefile(kinds, count, this.ends), options);
  }

  private get ends(): WireEnds {
    return { from: this.from.mac, to: this.to.mac };
  }

  private startSavefile(bytes: Uint8Array, options: SendOptions): RunningProcess {
    const file = join(this.world.folder, `packets-${files++}.pcap`);
    writeFileSync(file, bytes);
    return this.from.start("tcpreplay", [...tcpreplayArguments(this.from.link, options), file]);
  }
}

/** What tcpreplay says it sent. */
export function sentPackets(flood: RunningProcess): number {
  return Number(/Actual: (\d+) packets/.exec(flood.text)?.[1] ?? 0);
}

/** Packets go in small bursts, a thousand a second, so that waiting between them does not burn a core. */
function tcpreplayArguments(link: string, options: SendOptions): string[] {
  const { perSecond, seconds } = options;
  const burst = Math.ceil((perSecond ?? 1) / 1000);
  const rate = perSecond === undefined ? ["--topspeed"] : [`--pps=${perSecond}`, `--pps-multi=${burst}`];
  const rounds = seconds === undefined ? [`--loop=${options.rounds ?? 1}`] : ["--loop=0", `--duration=${seconds}`];
  return ["-i", link, "--preload-pcap", "--timer=nano", ...rate, ...rounds];
}
