import type { Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";

/** What to capture. */
export interface SnifferOptions {
  /** Default `eth0`. */
  readonly link?: string;
  /** Only packets that come in, or only those that go out, of `eth0`; default both. */
  readonly direction?: "in" | "out";
  /** With what the IP header says, time to live and all (`-v`), still one line a packet. */
  readonly verbose?: boolean;
  /** With every byte of the frame in hexadecimal behind the line; `frameBytes` reads them. */
  readonly bytes?: boolean;
  /** Writes a savefile (the first 256 bytes of each packet) instead of lines. */
  readonly file?: string;
}

/** The frame of a packet that was captured with `bytes`. */
export function frameBytes(packet: string): Buffer {
  const rows = packet.matchAll(/0x[0-9a-f]{4}: {2}((?:[0-9a-f]{2,4} ?)+)/g);
  return Buffer.from([...rows].map(([, hex = ""]) => hex.replaceAll(" ", "")).join(""), "hex");
}

/** A capture by tcpdump on one link of one host: one line a packet, in tcpdump's words. */
export class Sniffer {
  private readonly process: RunningProcess;
  /** Packets that the kernel counted before it had the filter; tcpdump never gets them. */
  private unfiltered = 0;

  private constructor(process: RunningProcess) {
    this.process = process;
  }

  /** Resolves when the capture has begun. The filter is in tcpdump's language; all packets when empty. */
  static async start(host: Host, filter = "", options: SnifferOptions = {}): Promise<Sniffer> {
    // Told apart by hardware address: tcpdump's own -Q and `inbound` lose count of what they leave out.
    const directions = { in: `not ether src ${host.mac}`, out: `ether src ${host.mac}` } as const;
    const direction = options.direction === undefined ? "" : directions[options.direction];
    const filters = [filter, direction].filter((one) => one !== "");
    // Short packets and a large buffer: in immediate mode the default holds eight packets.
    const size = ["-s", "256", "-B", "16384"];
    const args = ["-i", options.link ?? host.link, "-nn", "-tt", "-l", "--immediate-mode", "-Z", "root", ...size];
    if (options.verbose === true) args.push("-v");
    if (options.bytes === true) args.push("-xx");
    if (options.file !== undefined) args.push("-U", "-w", options.file);
    const process = host.start("tcpdump", [...args, filters.map((one) => `(${one})`).join(" and ")]);
    await process.waitForLine("listening on");
    const sniffer = new Sniffer(process);
    sniffer.unfiltered = await sniffer.backlog();
    return sniffer;
  }

  /** The packets so far. Lines that are indented go on with the packet before. */
  get packets(): readonly string[] {
    const packets: string[] = [];
    for (const line of this.process.lines) {
      if (/^\d+\.\d+ /.test(line)) packets.push(line);
      else if (/^\s/.test(line)) packets.push(`${packets.pop() ?? ""} ${line.trim()}`);
    }
    return packets;
  }

  /** Resolves when a packet whose line matches has been captured. */
  waitFor(pattern: RegExp | string): Promise<string> {
    return this.process.waitForLine(pattern);
  }

  /** Resolves to all packets, when tcpdump has written down all that the kernel gave it. */
  async stop(): Promise<readonly string[]> {
    while ((await this.backlog()) > this.unfiltered);
    await this.process.stop("SIGINT");
    return this.packets;
  }

  /** How many packets the kernel let through that are not written down: on SIGUSR1 tcpdump tells both numbers. */
  private async backlog(): Promise<number> {
    const from = this.process.lines.length;
    this.process.signal("SIGUSR1");
    const line = await this.process.waitForLine(/packets? captured, .*received.*dropped/, { from });
    const [captured = 0, received = 0, dropped] = (line.match(/\d+/g) ?? []).map(Number);
    if (dropped !== 0) throw new Error(`tcpdump lost packets: ${line}`);
    return received - captured;
  }
}
