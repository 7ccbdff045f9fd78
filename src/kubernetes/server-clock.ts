/**
 * The API server's clock, as far as it can be told from the `Date` of its answers, on this node's monotonic clock. What the
 * clock on this node's wall shows plays no part, so it may be minutes off.
 *
 * A `Date` has whole seconds, cut off: when an answer was asked for at `sent` and had come at `received`, the server's clock
 * showed a time from `date` to `date + 1 s` at some moment between the two. So the offset between the clocks lies between
 * `date - received` and `date + 1 s - sent`. Each answer gives such a range, and the true offset lies in all of them: the more
 * answers, at different fractions of the second, the narrower. One answer is good to half a second and half its round trip;
 * an answer asked for when the server's second is about to change halves what is left. Clocks drift, so a range that is not
 * confirmed is widened with time. Ranges that do not meet mean that somebody has set the server's clock (or that another server
 * answers, whose clock differs): then only the newest counts.
 */
export class ServerClock {
  private range: Range | undefined;

  /** Takes an answer's `Date`, and when it was asked for and had come; microseconds. */
  observe(dateMicros: number, sentMicros: number, receivedMicros: number): void {
    const heard = { low: dateMicros - receivedMicros, high: dateMicros + 1e6 - sentMicros, atMicros: receivedMicros };
    const known = this.rangeAt(receivedMicros);
    if (known === undefined) this.range = heard;
    else {
      const both = { ...heard, low: Math.max(known.low, heard.low), high: Math.min(known.high, heard.high) };
      this.range = both.low <= both.high ? both : heard;
    }
  }

  /** What the server's clock shows, in microseconds since the epoch; undefined before the first answer. */
  at(nowMicros: number): number | undefined {
    const range = this.rangeAt(nowMicros);
    return range === undefined ? undefined : nowMicros + (range.low + range.high) / 2;
  }

  /** By how much `at` may be wrong at most, microseconds; Infinity before the first answer. */
  errorMicros(nowMicros: number): number {
    const range = this.rangeAt(nowMicros);
    return range === undefined ? Infinity : (range.high - range.low) / 2;
  }

  /** How long until the server's second changes, as far as is known: when an answer tells most. */
  nextSecondMicros(nowMicros: number): number {
    const server = this.at(nowMicros);
    return server === undefined ? 0 : 1e6 - (server % 1e6);
  }

  private rangeAt(nowMicros: number): Range | undefined {
    if (this.range === undefined) return undefined;
    const { low, high, atMicros } = this.range;
    const drift = Math.max(0, nowMicros - atMicros) * driftRate;
    return { low: low - drift, high: high + drift, atMicros };
  }
}

/** Where the offset lies (server minus monotonic), and when that was known. */
interface Range {
  readonly low: number;
  readonly high: number;
  readonly atMicros: number;
}

/** Two quartz clocks part by less than this: a tenth of a second in ten minutes. */
const driftRate = 200e-6;
