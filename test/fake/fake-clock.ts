import type { Clock, Timer } from "../../src/clock.ts";

/** A clock that stands still until a test moves it. Timers fire in the order of their times. */
export class FakeClock implements Clock {
  private micros = 1_000_000_000;
  /** What the wall shows when the monotonic clock shows zero; a test may set it. */
  wallOffsetMicros = 1_700_000_000_000_000;
  private readonly timers = new Set<{ atMicros: number; action: () => void }>();

  nowMicros(): number {
    return this.micros;
  }

  wallMicros(): number {
    return this.micros + this.wallOffsetMicros;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { atMicros: this.micros + Math.max(0, delayMs) * 1000, action };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  /** How many timers are set. */
  get pendingTimers(): number {
    return this.timers.size;
  }

  /** Milliseconds until the next timer fires; undefined when none is set. */
  get nextTimerMs(): number | undefined {
    const times = [...this.timers].map((timer) => (timer.atMicros - this.micros) / 1000);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Moves on, firing what falls due on the way. */
  advance(ms: number): void {
    const end = this.micros + ms * 1000;
    for (;;) {
      const [next] = [...this.timers].filter((timer) => timer.atMicros <= end).sort((a, b) => a.atMicros - b.atMicros);
      if (next === undefined) break;
      this.timers.delete(next);
      this.micros = Math.max(this.micros, next.atMicros);
      next.action();
    }
    this.micros = end;
  }

  /** Moves on like `advance`, and lets promises settle between the timers. */
  async advanceAsync(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  }
}
