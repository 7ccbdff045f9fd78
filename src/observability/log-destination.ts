import type { Writable } from "node:stream";

/** Bytes that may wait for a slow reader; beyond, lines are dropped. Audit records may use four times as much. */
const waitingBytesMax = 1024 * 1024;
const auditFactor = 4;

/**
 * Where log lines go: a stream that nobody waits for. A pipe is written without blocking (measured on Node 20: a pipe that
 * nobody reads costs memory, not time), so what waits is bounded here. A reader that went away is survived: the agent's
 * work does not depend on its log.
 */
export class LogDestination {
  private readonly stream: Writable;
  private readonly render: (line: string) => string;
  private closed = false;
  private lost = 0;
  private untold = 0;

  /** `render` turns a JSON line into what is written. */
  constructor(stream: Writable, render: (line: string) => string = (line) => line) {
    this.stream = stream;
    this.render = render;
    stream.on("error", () => {
      this.closed = true; // EPIPE and its like: no later line can be written, each is counted as dropped
    });
  }

  /** Lines thrown away since the start. */
  get droppedLines(): number {
    return this.lost;
  }

  /** How many lines were thrown away since this was last asked, once there is room again; else 0. */
  takeUntold(): number {
    if (this.closed || this.stream.writableLength > waitingBytesMax / 2) return 0;
    const count = this.untold;
    this.untold = 0;
    return count;
  }

  /** Writes one line or drops it; never waits and never throws. Whether it was taken. */
  write(line: string, audit = false): boolean {
    const bound = audit ? waitingBytesMax * auditFactor : waitingBytesMax;
    if (this.closed || this.stream.destroyed || this.stream.writableLength + line.length > bound) {
      this.lost++;
      this.untold++;
      return false;
    }
    this.stream.write(this.render(line));
    return true;
  }

  /** Resolves when all that was written is out, or the stream is gone. The caller bounds the wait. */
  async drained(): Promise<void> {
    if (this.closed || this.stream.destroyed || this.stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      this.stream.once("drain", resolve);
      this.stream.once("error", () => resolve());
      this.stream.write("", () => resolve());
    });
  }
}
