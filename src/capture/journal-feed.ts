import type { Clock, Timer } from "../clock.ts";
import { BackOff } from "./back-off.ts";
import type { LogFeed, LogReader } from "./log-feed.ts";
import { type Following, type FollowJournal, followJournal } from "./process-starter.ts";

/** The kernel's messages in systemd's journal, followed by journalctl(1), which is started again when it ends. */
export class JournalFeed implements LogFeed {
  readonly name = "journal";
  readonly #clock: Clock;
  readonly #follow: FollowJournal;
  readonly #backOff = new BackOff();
  #reader: LogReader | undefined;
  #following: Following | undefined;
  #retry: Timer | undefined;

  constructor(clock: Clock, follow: FollowJournal = followJournal) {
    this.#clock = clock;
    this.#follow = follow;
  }

  start(reader: LogReader): Promise<void> {
    this.#reader = reader;
    this.#begin(reader);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#reader = undefined;
    this.#retry?.cancel();
    this.#following?.stop();
    return Promise.resolve();
  }

  #begin(reader: LogReader): void {
    const bornMicros = this.#clock.nowMicros();
    reader.state(undefined);
    this.#following = this.#follow(
      (chunk) => reader.bytes(chunk),
      (why) => {
        if (this.#reader === undefined) return;
        reader.broken();
        reader.state(`journalctl has ended${why === "" ? "" : ` (${why})`}`);
        const delayMs = this.#backOff.after(this.#clock.nowMicros() - bornMicros);
        this.#retry = this.#clock.after(delayMs, () => {
          reader.restarted("crash");
          this.#begin(reader);
        });
      },
    );
  }
}
