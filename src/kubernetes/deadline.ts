import type { Clock, Timer } from "../clock.ts";

/**
 * A signal that is aborted when an outer one is, or when the time runs out. To be closed by whoever made it: until
 * then it listens to the outer signal and holds a timer.
 */
export class Deadline {
  private readonly clock: Clock;
  private readonly outer: AbortSignal;
  private readonly controller = new AbortController();
  private readonly onOuter = () => this.controller.abort();
  private timer: Timer | undefined;
  private late = false;

  constructor(clock: Clock, outer: AbortSignal) {
    this.clock = clock;
    this.outer = outer;
    if (outer.aborted) this.controller.abort();
    else outer.addEventListener("abort", this.onOuter);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Whether it was the time that ran out. */
  get isLate(): boolean {
    return this.late;
  }

  /** From now on this long, whatever was set before. */
  within(delayMs: number): void {
    this.timer?.cancel();
    this.timer = this.clock.after(delayMs, () => {
      this.late = true;
      this.controller.abort();
    });
  }

  /** Idempotent. */
  close(): void {
    this.timer?.cancel();
    this.outer.removeEventListener("abort", this.onOuter);
  }
}
