import type { Clock, Timer } from "../clock.ts";
import type { Snapshot } from "./config-source.ts";

/** After a change nothing may happen for this long before a snapshot is made: `kubectl apply` of a folder is many changes. */
const settleMs = 50;
/** But no longer than this, when something changes all the time. */
const longestSettleMs = 1000;

/**
 * Makes snapshots of what several watches know, one after the other, and delivers each: at once when asked, and soon after
 * something has changed.
 */
export class SnapshotStream {
  private readonly clock: Clock;
  private readonly compose: () => Promise<Snapshot> | Snapshot;
  private deliver: ((snapshot: Snapshot) => void) | undefined;
  private work: Promise<void> = Promise.resolve();
  private settle: Timer | undefined;
  private firstTouchMicros: number | undefined;
  private closed = false;

  constructor(clock: Clock, compose: () => Promise<Snapshot> | Snapshot) {
    this.clock = clock;
    this.compose = compose;
  }

  /** Delivers a first snapshot, and others when something was touched. */
  async begin(deliver: (snapshot: Snapshot) => void): Promise<void> {
    this.deliver = deliver;
    await this.now();
  }

  /** Something may have changed. Before `begin` nothing happens. */
  touch(): void {
    if (this.closed || this.deliver === undefined) return;
    this.firstTouchMicros ??= this.clock.nowMicros();
    const waitedMs = (this.clock.nowMicros() - this.firstTouchMicros) / 1000;
    this.settle?.cancel();
    this.settle = this.clock.after(Math.min(settleMs, Math.max(0, longestSettleMs - waitedMs)), () => void this.now());
  }

  /** A snapshot of what is known now; resolves when it was delivered. */
  now(): Promise<void> {
    this.settle?.cancel();
    this.firstTouchMicros = undefined;
    this.work = this.work.then(async () => {
      if (this.closed) return;
      const snapshot = await this.compose();
      if (!this.closed) this.deliver?.(snapshot);
    });
    return this.work;
  }

  /** Nothing is delivered any more; idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.settle?.cancel();
    await this.work;
  }
}
