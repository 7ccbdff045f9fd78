import type { Clock, Timer } from "../clock.ts";
import type { WrittenText } from "../policy/document.ts";
import { readFiles, surveyFiles } from "./config-files.ts";
import type { ConfigSource, WrittenSnapshot } from "./config-source.ts";
import { FolderWatch } from "./folder-watch.ts";

/** After a change nothing may happen for this long before the files are read: a save is often several writes. */
const settleMs = 150;
/** But no longer than this, when something in the folder changes all the time. */
const longestSettleMs = 2000;
/** How often the files are looked at even if nobody said anything: network file systems tell nothing. */
const pollMs = 2000;

/**
 * Configuration in files and folders, read again when they change: an atomic rename, an editor's save, or the `..data`
 * symbolic link that a kubelet swaps. The watch makes it quick and the poll makes it certain. A path that does not exist
 * is a failure in the snapshot, and is looked for again.
 */
export class FileSource implements ConfigSource {
  readonly name: string;
  readonly origin: string;
  private readonly paths: readonly string[];
  private readonly format: WrittenText["format"] | undefined;
  private readonly clock: Clock;
  private readonly watch = new FolderWatch(() => this.touch());
  private deliver: (snapshot: WrittenSnapshot) => void = () => {};
  private signature = "";
  private companions: readonly string[] = [];
  private work: Promise<void> = Promise.resolve();
  private poll: Timer | undefined;
  private settle: Timer | undefined;
  private firstTouchMicros: number | undefined;
  private closed = false;

  /** Without a format the names of the files decide. */
  constructor(options: {
    readonly paths: readonly string[];
    readonly clock: Clock;
    readonly format?: WrittenText["format"];
  }) {
    this.name = options.format === "knockd-conf" ? "knockd-conf" : "files";
    this.paths = options.paths;
    this.origin = options.paths.join(",");
    this.clock = options.clock;
    this.format = options.format;
  }

  async start(deliver: (snapshot: WrittenSnapshot) => void): Promise<void> {
    this.deliver = deliver;
    await this.reread();
    this.schedulePoll();
  }

  reread(): Promise<void> {
    return this.enqueue(() => this.read());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.poll?.cancel();
    this.settle?.cancel();
    this.watch.close();
    await this.work;
  }

  /** One after the other, so that an older state is never delivered after a newer one. */
  private enqueue(task: () => Promise<void>): Promise<void> {
    this.work = this.work.then(() => (this.closed ? undefined : task()));
    return this.work;
  }

  private async read(): Promise<void> {
    this.firstTouchMicros = undefined;
    // Watching comes before reading, so that a change in between is told.
    await this.watch.use((await this.survey()).folders);
    const files = await readFiles(this.paths, this.format);
    this.signature = files.signature;
    this.companions = files.companions;
    if (!this.closed) this.deliver(files.snapshot);
  }

  private touch(): void {
    if (this.closed) return;
    this.firstTouchMicros ??= this.clock.nowMicros();
    const waitedMs = (this.clock.nowMicros() - this.firstTouchMicros) / 1000;
    this.settle?.cancel();
    this.settle = this.clock.after(Math.min(settleMs, Math.max(0, longestSettleMs - waitedMs)), () => {
      void this.enqueue(() => this.readIfChanged());
    });
  }

  private async readIfChanged(): Promise<void> {
    this.firstTouchMicros = undefined;
    if ((await this.survey()).signature !== this.signature) await this.read();
  }

  private schedulePoll(): void {
    if (this.closed) return;
    this.poll = this.clock.after(pollMs, () => {
      void this.enqueue(() => this.look()).then(() => this.schedulePoll());
    });
  }

  /** A change that only the poll has seen settles like any other. */
  private async look(): Promise<void> {
    if ((await this.survey()).signature !== this.signature) this.touch();
  }

  private survey() {
    return surveyFiles(this.paths, this.companions, this.format);
  }
}
