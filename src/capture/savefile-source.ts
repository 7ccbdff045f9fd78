import type { ReadStream } from "node:fs";
import { basename } from "node:path";
import { decodeFrame } from "../decode/decode.ts";
import type { Frame } from "../decode/frame.ts";
import type { Knock } from "../decode/knock.ts";
import { KnockBuffer } from "../decode/knock-buffer.ts";
import type { CaptureReport, PacketSource, Watch } from "./packet-source.ts";
import { RecentPackets } from "./recent-packets.ts";
import { cutSentence, openSavefile, readSavefile } from "./savefile-stream.ts";
import { WatchCheck } from "./watch-check.ts";

/**
 * Knocks from a pcap file, with the recorded stamps as their time. Needs neither privileges nor libpcap. Reads as fast as
 * the receiver takes them; `finished` tells the end. There are no local addresses here: `extraTargets` says what counts.
 */
export class SavefileSource implements PacketSource {
  readonly #path: string;
  readonly #report: CaptureReport;
  readonly #recent = new RecentPackets(0);
  readonly #knock = new KnockBuffer();
  #check: WatchCheck | undefined;
  #receive: ((knock: Knock) => void) | undefined;
  #stream: ReadStream | undefined;
  #finished: Promise<void> = Promise.resolve();

  constructor(path: string, report: CaptureReport) {
    this.#path = path;
    this.#report = report;
  }

  /** Settles when the file was read to its end, or rejects with a CaptureError. After `close`, when reading has stopped. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** Resolves when the file is open; rejects with `savefile-unreadable`. */
  async start(watch: Watch, receive: (knock: Knock) => void): Promise<void> {
    this.#check = new WatchCheck(watch, []);
    this.#receive = receive;
    this.#stream = await openSavefile(this.#path);
    this.#report.capturing([basename(this.#path)], []);
    this.#finished = this.#readAll(this.#stream);
    this.#finished.catch(() => undefined); // it is the caller's when asked for; without this line it would end the process when not
  }

  /** In force from the next packet on. */
  update(watch: Watch): Promise<void> {
    this.#check = new WatchCheck(watch, []);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#stream?.destroy();
    await this.#finished.catch(() => undefined); // a reader of `finished` has been told
  }

  async #readAll(stream: ReadStream): Promise<void> {
    try {
      const name = basename(this.#path);
      const end = await readSavefile(stream, name, (frame) => this.#take(frame));
      if (end === "cut") this.#report.warned(cutSentence(name));
    } finally {
      this.#report.capturing([], []);
    }
  }

  #take(frame: Frame): void {
    this.#report.packets(frame.interface, 1);
    const dropped = decodeFrame(frame, this.#knock) ?? this.#check?.verdict(this.#knock);
    if (dropped !== undefined) this.#report.discarded(dropped, 1);
    else if (this.#recent.isRepeat(this.#knock)) this.#report.discarded("duplicate", 1);
    else this.#receive?.(this.#knock);
  }
}
