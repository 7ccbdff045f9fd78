const firstMs = 100;
const mostMs = 10_000;
/** Who lived this long did not fail at starting. */
const longLifeMicros = 30_000_000;

/** How long to wait before the next child is started: 100 ms, doubled with every early death up to 10 s. */
export class BackOff {
  #nextMs = firstMs;

  /** The wait after a child that lived so long. */
  after(livedMicros: number): number {
    if (livedMicros >= longLifeMicros) this.#nextMs = firstMs;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, mostMs);
    return delayMs;
  }
}
