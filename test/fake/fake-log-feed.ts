import type { LogFeed, LogReader } from "../../src/capture/log-feed.ts";

/** A log that a test writes. */
export class FakeLogFeed implements LogFeed {
  readonly name = "log:/fake";
  reader: LogReader | undefined;

  start(reader: LogReader): Promise<void> {
    this.reader = reader;
    reader.state(undefined);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.reader = undefined;
    return Promise.resolve();
  }

  write(text: string): void {
    this.reader?.bytes(Buffer.from(text));
  }
}
