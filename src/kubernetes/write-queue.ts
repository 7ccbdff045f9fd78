import type { Clock, Timer } from "../clock.ts";
import { ApiError } from "./api-error.ts";

/** What the queue works with. */
export interface WriteQueueOptions {
  readonly clock: Clock;
  /** From the end of one write to the next. */
  readonly pauseMs: number;
  /** A write failed; it is tried again, unless its object is gone. */
  readonly failed: (error: ApiError) => void;
}

/** Carries out one write as things are when its turn comes; resolves also when nothing was left to be done. */
export type Write = (signal: AbortSignal) => Promise<void>;

/** After a failure the whole queue waits, twice as long each time. */
const [leastWaitMs, mostWaitMs] = [1000, 60_000];

/**
 * Writes to the API one after the other, at a bounded rate and once for each key however often it was asked for: many changes at
 * once cost one write an object, spread over time. What fails is tried again after the others, ever more seldom.
 */
export class WriteQueue {
  private readonly options: WriteQueueOptions;
  private readonly waiting = new Map<string, Write>();
  private readonly ending = new AbortController();
  private timer: Timer | undefined;
  private under: Promise<void> | undefined;
  private waitMs = 0;

  constructor(options: WriteQueueOptions) {
    this.options = options;
  }

  /** How many objects are to be written. */
  get size(): number {
    return this.waiting.size;
  }

  /** Asks for a write; it takes the place of the one that waits under the same key. */
  ask(key: string, write: Write): void {
    if (this.ending.signal.aborted) return;
    this.waiting.set(key, write);
    this.go(0);
  }

  /** Resolves when nothing is under way; nothing is written afterwards. Idempotent. */
  async close(): Promise<void> {
    this.ending.abort();
    this.timer?.cancel();
    this.waiting.clear();
    await this.under;
  }

  private go(delayMs: number): void {
    if (this.timer !== undefined || this.under !== undefined || this.ending.signal.aborted) return;
    this.timer = this.options.clock.after(delayMs, () => {
      this.timer = undefined;
      this.under = this.writeNext().finally(() => {
        this.under = undefined;
        if (this.waiting.size > 0) this.go(Math.max(this.waitMs, this.options.pauseMs));
      });
    });
  }

  private async writeNext(): Promise<void> {
    const [next] = this.waiting;
    if (next === undefined) return;
    const [key, write] = next;
    this.waiting.delete(key);
    try {
      await write(this.ending.signal);
      this.waitMs = 0;
    } catch (error) {
      this.writeFailed(key, write, error);
    }
  }

  private writeFailed(key: string, write: Write, error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "stopped" || error.code === "missing") return;
    this.options.failed(error);
    this.waitMs = Math.min(mostWaitMs, Math.max(leastWaitMs, this.waitMs * 2, error.retryAfterMs ?? 0));
    if (!this.waiting.has(key)) this.waiting.set(key, write);
  }
}
