import type { Readable } from "node:stream";
import type { LogFeed, LogReader } from "./log-feed.ts";

/** A log on standard input: `dmesg -w -k | knockgate agent --capture -`. Its end is the end of the capture. */
export class InputFeed implements LogFeed {
  readonly name = "standard input";
  readonly #input: Readable;
  #stop: () => void = () => undefined;

  constructor(input: Readable) {
    this.#input = input;
  }

  start(reader: LogReader): Promise<void> {
    const read = (chunk: Buffer) => reader.bytes(chunk);
    const end = () => reader.state("standard input has ended: start the agent again");
    const fail = (error: Error) => reader.state(`standard input cannot be read (${error.message})`);
    this.#input.on("data", read).on("end", end).on("error", fail);
    this.#stop = () => {
      this.#input.off("data", read).off("end", end).destroy();
    };
    reader.state(undefined);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#stop();
    this.#stop = () => undefined;
    return Promise.resolve();
  }
}
