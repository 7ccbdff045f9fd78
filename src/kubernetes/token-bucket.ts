import type { Clock } from "../clock.ts";

/** Lets so many through at once, and then one in so many milliseconds. */
export class TokenBucket {
  private readonly clock: Clock;
  private readonly size: number;
  private readonly refillMicros: number;
  /** When the bucket would have been empty last, had it been filled evenly since: one number is its whole state. */
  private emptyMicros: number;

  constructor(clock: Clock, size: number, refillMs: number) {
    this.clock = clock;
    this.size = size;
    this.refillMicros = refillMs * 1000;
    this.emptyMicros = clock.nowMicros() - size * this.refillMicros;
  }

  /** Takes a token and says 0; or takes none and says in how many milliseconds there will be one. */
  take(): number {
    const now = this.clock.nowMicros();
    const empty = Math.max(this.emptyMicros, now - this.size * this.refillMicros);
    const spent = empty + this.refillMicros;
    if (spent > now) return Math.ceil((spent - now) / 1000);
    this.emptyMicros = spent;
    return 0;
  }
}
