/** A line is read this long after the kernel wrote it at most, or it is taken for as old as that. */
const oldestMicros = 2_000_000;
/** How long the least delay counts: printk's clock is not disciplined, and drifts from CLOCK_MONOTONIC by some parts in a million. */
const windowMicros = 60_000_000;

/**
 * Turns the kernel's stamps into monotonic time. Lines come some time after they were stamped, so that stamps, not arrivals, tell
 * how far two knocks lie apart. How far printk's clock lies from ours is not known: it is never more than the least delay that a
 * line of the last one or two minutes has had, and taken for that. Nobody who sets the wall clock changes it.
 */
export class LogClock {
  #newestMicros = Number.NEGATIVE_INFINITY;
  #offsetMicros = Number.POSITIVE_INFINITY;
  /** The least of the window that runs. */
  #nextMicros = Number.POSITIVE_INFINITY;
  #windowEndsMicros = Number.NEGATIVE_INFINITY;

  /**
   * The monotonic time of a line that is read now. Undefined for one that is old: the kernel's lines come in the order of their
   * stamps, and lines of yesterday that somebody copies into the log must open nothing.
   */
  monotonic(stampMicros: number, nowMicros: number): number | undefined {
    if (stampMicros < this.#newestMicros - oldestMicros) return undefined;
    this.#newestMicros = Math.max(this.#newestMicros, stampMicros);
    if (nowMicros >= this.#windowEndsMicros) {
      this.#offsetMicros = this.#nextMicros;
      this.#nextMicros = Number.POSITIVE_INFINITY;
      this.#windowEndsMicros = nowMicros + windowMicros;
    }
    this.#nextMicros = Math.min(this.#nextMicros, nowMicros - stampMicros);
    this.#offsetMicros = Math.min(this.#offsetMicros, this.#nextMicros);
    return Math.max(stampMicros + this.#offsetMicros, nowMicros - oldestMicros);
  }
}
