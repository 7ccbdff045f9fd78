import type { Clock } from "../clock.ts";
import type { Knock } from "../decode/knock.ts";
import { KnockBuffer } from "../decode/knock-buffer.ts";
import type { LinkStates } from "./link-watch.ts";
import { LogClock } from "./log-clock.ts";
import { readLogEntry } from "./log-entry.ts";
import type { LogFeed } from "./log-feed.ts";
import { LogLines } from "./log-lines.ts";
import { readLogPacket } from "./log-packet.ts";
import type { CaptureReport, PacketSource, Watch } from "./packet-source.ts";
import { RecentPackets } from "./recent-packets.ts";
import { WatchCheck } from "./watch-check.ts";

/** What a log source is given. */
export interface LogSourceOptions {
  readonly feed: LogFeed;
  /** What the firewall puts before the packet (`--log-prefix`). */
  readonly prefix: string;
  /** Packets that came in elsewhere do not count; empty, or `any`: all do. */
  readonly interfaces: readonly string[];
  readonly clock: Clock;
  readonly report: CaptureReport;
  /** This host's own addresses. */
  readonly links: LinkStates;
}

/**
 * Knocks that the firewall has logged, for hosts where nobody may sniff. Of each line only addresses, ports and flags are taken,
 * all written by the kernel; lines of other programs are not read as far as the format tells them apart.
 */
export class LogSource implements PacketSource {
  readonly #options: LogSourceOptions;
  readonly #prefix: string;
  readonly #lines = new LogLines();
  readonly #times = new LogClock();
  readonly #knock = new KnockBuffer();
  readonly #recent = new RecentPackets((Math.random() * 2 ** 32) >>> 0);
  #watch: Watch | undefined;
  #check: WatchCheck | undefined;
  #receive: (knock: Knock) => void = () => undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(options: LogSourceOptions) {
    this.#options = options;
    this.#prefix = options.prefix.trimEnd();
  }

  async start(watch: Watch, receive: (knock: Knock) => void): Promise<void> {
    const { feed, links, report } = this.#options;
    this.#receive = receive;
    this.#unsubscribe = links.subscribe(() => this.#renewCheck());
    await this.update(watch);
    await feed.start({
      bytes: (chunk) => this.#lines.read(chunk, (line) => this.#take(line)),
      broken: () => this.#lines.forget(),
      state: (trouble) => report.capturing(trouble === undefined ? [feed.name] : [], [], trouble),
      restarted: (cause) => report.restarted(cause),
    });
  }

  /** In force from the next line on. */
  update(watch: Watch): Promise<void> {
    this.#watch = watch;
    this.#renewCheck();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#options.feed.close();
  }

  #renewCheck(): void {
    const { state } = this.#options.links;
    this.#check = this.#watch && state && new WatchCheck(this.#watch, state.localAddresses);
  }

  #take(line: string): void {
    if (!line.includes(this.#prefix)) return; // most lines of a log; the rest costs more
    const entry = readLogEntry(line);
    const text = entry === undefined ? undefined : this.#behindPrefix(entry.message);
    if (entry === undefined || text === undefined) return;
    const { report, feed, clock } = this.#options;
    report.packets(feed.name, 1);
    const nowMicros = clock.nowMicros();
    const packet = readLogPacket(text, this.#knock);
    const atMicros =
      entry.kernelMicros === undefined ? nowMicros : this.#times.monotonic(entry.kernelMicros, nowMicros);
    if ("dropped" in packet) return report.discarded(packet.dropped, 1);
    if (atMicros === undefined) return report.discarded("duplicate", 1);
    this.#knock.atMicros = atMicros;
    this.#knock.stampMicros = clock.wallMicros() - (nowMicros - atMicros);
    const dropped = this.#isOtherLink(packet.in) ? "not-watched" : this.#check?.verdict(this.#knock);
    if (dropped !== undefined) report.discarded(dropped, 1);
    else if (this.#recent.isRepeat(this.#knock)) report.discarded("duplicate", 1);
    else if (this.#check !== undefined) this.#receive(this.#knock);
  }

  /** The prefix may touch `IN=`: iptables puts no blank there. */
  #behindPrefix(message: string): string | undefined {
    if (!message.startsWith(this.#prefix)) return undefined;
    const text = message.slice(this.#prefix.length).trimStart();
    return text.startsWith("IN=") ? text : undefined;
  }

  #isOtherLink(name: string): boolean {
    const { interfaces } = this.#options;
    return interfaces.length > 0 && !interfaces.includes("any") && !interfaces.includes(name);
  }
}
