import type { Clock } from "../clock.ts";

/** A step of the wall clock shorter than this is noise of its reading. */
const noiseMicros = 2000;
/** How often the two clocks are compared, at most. */
const compareEveryMicros = 1_000_000;

/** A packet is read within this time after it was stamped, or the capture child is counted as hung and replaced. */
const oldestMicros = 2_000_000;
/** How far the present may lie ahead of the last reading of the clock. */
const newestMicros = 1_000_000;

/**
 * Turns the kernel's stamps into monotonic time: `now_mono − (now_real − stamp)` is `stamp − (now_real − now_mono)`, and
 * that difference stays the same until somebody sets the clock (clock_settime(2)): slewing moves both clocks alike. It is
 * compared once a second while packets flow, and at once when a packet would come from the future or the past: then
 * somebody has set the clock, and the packet was stamped either before or after. Whichever of the two puts it near the
 * present is right, so a step of the clock neither completes nor ends a sequence.
 */
export class StampClock {
  readonly #clock: Clock;
  #aheadMicros: number;
  /** Before the clock was last set. */
  #aheadBeforeMicros: number;
  #comparedMicros: number;
  #readMicros: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#comparedMicros = this.#readMicros = clock.nowMicros();
    this.#aheadMicros = this.#aheadBeforeMicros = this.#measure();
  }

  /** The monotonic time of a stamp. */
  monotonic(stampMicros: number): number {
    const atMicros = stampMicros - this.#aheadMicros;
    const sinceReading = atMicros - this.#readMicros;
    return sinceReading > -oldestMicros && sinceReading < newestMicros ? atMicros : this.#settle(stampMicros);
  }

  /** A stamp that lies far from the last reading of the clock: that reading is old, the packet is, or the clock was set. */
  #settle(stampMicros: number): number {
    this.#compare(this.#clock.nowMicros());
    const now = this.#readMicros;
    const isNear = (atMicros: number) => atMicros > now - oldestMicros && atMicros < now + noiseMicros;
    const after = stampMicros - this.#aheadMicros;
    const before = stampMicros - this.#aheadBeforeMicros;
    if (isNear(after) || after === before) return Math.min(after, now);
    return isNear(before) ? before : now;
  }

  /** Compares the clocks where a second has passed; called once for every few packets. */
  refresh(nowMicros: number): void {
    this.#readMicros = nowMicros;
    if (nowMicros - this.#comparedMicros >= compareEveryMicros) this.#compare(nowMicros);
  }

  #compare(nowMicros: number): void {
    this.#readMicros = this.#comparedMicros = nowMicros;
    const ahead = this.#measure();
    if (Math.abs(ahead - this.#aheadMicros) <= noiseMicros) return;
    this.#aheadBeforeMicros = this.#aheadMicros;
    this.#aheadMicros = ahead;
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
