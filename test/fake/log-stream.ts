import { Writable } from "node:stream";

/** A standard output that keeps its lines, or that nobody reads, or whose reader has gone. */
export class LogStream extends Writable {
  text = "";
  /** `stuck`: takes nothing, so that all waits in the buffer. */
  private reader: "reading" | "stuck" = "reading";
  private continueWriting: (() => void) | undefined;

  constructor(reader: "reading" | "stuck" = "reading") {
    super({ decodeStrings: false });
    this.reader = reader;
  }

  get lines(): readonly Record<string, unknown>[] {
    return this.text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]));
  }

  /** The reader takes all that waited, and goes on reading. */
  unstick(): void {
    this.reader = "reading";
    this.continueWriting?.();
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error) => void): void {
    this.text += chunk;
    if (this.reader === "reading") done();
    else this.continueWriting = done;
  }
}
