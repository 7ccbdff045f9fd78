import type { Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";

/** What to capture. */
export interface SnifferOptions {
  /** Default `eth0`. */
  readonly link?: string;
  /** Only packets that come in, or only those that go out; default both. */
  readonly direction?: "in" | "out";
  /** With what the IP header says, time to live and all (`-v`), still one line a packet. */
  readonly verbose?: boolean;
}

/** A capture by tcpdump on one link of one host: one line a packet, in tcpdump's words. */
export class Sniffer {
  private readonly process: RunningProcess;

  private constructor(process: RunningProcess) {
    this.process = process;
  }

  /** Resolves when the capture has begun. The filter is in tcpdump's language; all packets when empty. */
  static async start(host: Host, filter = "", options: SnifferOptions = {}): Promise<Sniffer> {
    const direction = options.direction === undefined ? [] : ["-Q", options.direction];
    const args = ["-i", options.link ?? host.link, "-nn", "-tt", "-l", "--immediate-mode", "-Z", "root", ...direction];
    if (options.verbose === true) args.push("-v");
    const process = host.start("tcpdump", filter === "" ? args : [...args, filter]);
    await process.waitForLine("listening on");
    return new Sniffer(process);
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
    while (!(await this.isDrained()));
    await this.process.stop("SIGINT");
    return this.packets;
  }

  /** On SIGUSR1 tcpdump says how many packets it captured and how many the filter let through. */
  private async isDrained(): Promise<boolean> {
    const from = this.process.lines.length;
    this.process.signal("SIGUSR1");
    const line = await this.process.waitForLine(/packets? captured, \d+ packets? received/, { from });
    const [captured, received] = (line.match(/\d+/g) ?? []).map(Number);
    return captured === received;
  }
}
