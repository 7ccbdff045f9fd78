import type { Clock } from "../clock.ts";

/** A step of the wall clock shorter than this is noise of its reading. */
const noiseMicros = 2000;
/** How often the two clocks are compared, at most. */
const compareEveryMicros = 1_000_000;

/**
 * Turns the kernel's stamps into monotonic time: `now_mono − (now_real − stamp)` is `stamp − (now_real − now_mono)`, and
 * that difference stays the same until somebody sets the clock (clock_settime(2)): slewing moves both clocks alike. It is
 * compared once a second at most while packets flow, so a step is followed within a second; the packets in between are off
 * by the step, and negative elapsed time ends a progress instead of prolonging it.
 */
export class StampClock {
  readonly #clock: Clock;
  #aheadMicros: number;
  #comparedMicros: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#comparedMicros = clock.nowMicros();
    this.#aheadMicros = this.#measure();
  }

  /** The monotonic time of a stamp. */
  monotonic(stampMicros: number): number {
    return stampMicros - this.#aheadMicros;
  }

  /** Compares the clocks where a second has passed; called once for every few packets. */
  refresh(nowMicros: number): void {
    if (nowMicros - this.#comparedMicros < compareEveryMicros) return;
    this.#comparedMicros = nowMicros;
    const ahead = this.#measure();
    if (Math.abs(ahead - this.#aheadMicros) > noiseMicros) this.#aheadMicros = ahead;
  }

  /** How far real time is ahead of monotonic time. Of three readings the tightest counts: a reading can be interrupted. */
  #measure(): number {
    let best = { width: Number.POSITIVE_INFINITY, ahead: 0 };
    for (let reading = 0; reading < 3; reading++) {
      const before = this.#clock.nowMicros();
      const wall = this.#clock.wallMicros();
      const width = this.#clock.nowMicros() - before;
      if (width < best.width) best = { width, ahead: Math.round(wall - before - width / 2) };
    }
    return best.ahead;
  }
}
