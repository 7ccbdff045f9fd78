import type { Clock, Timer } from "../clock.ts";
import type { ApiClient, Selection } from "./api-client.ts";
import { ApiError } from "./api-error.ts";
import { RetryPace } from "./retry-pace.ts";
import { ServerClock } from "./server-clock.ts";

/** What the server's time is kept with. */
export interface ServerTimeOptions {
  readonly client: Pick<ApiClient, "list">;
  /** What is asked for, so that there is an answer with a `Date`: something small that the agent may list. */
  readonly selection: Selection;
  readonly clock: Clock;
  readonly random: () => number;
  /** The time is known for the first time, or better than before. */
  readonly improved: () => void;
}

/** Good enough: the whole seconds of creationTimestamp cost more. */
const goodErrorMicros = 60_000;
/** The drift of ten minutes needs another look. */
const restMs = 600_000;
/** Answers that a start may cost; the first is good to half a second, four more to a thirtieth. */
const mostLooks = 6;

/** Keeps a ServerClock: a few small requests at the start, one or two every ten minutes. Goes on by itself when the API is back. */
export class ServerTime {
  private readonly options: ServerTimeOptions;
  private readonly serverClock = new ServerClock();
  private readonly pace: RetryPace;
  private readonly ending = new AbortController();
  private looks = 0;
  private timer: Timer | undefined;
  private asking: Promise<void> | undefined;

  constructor(options: ServerTimeOptions) {
    this.options = options;
    this.pace = new RetryPace(options.random);
  }

  /** What the server's clock shows, microseconds since the epoch; undefined as long as it has never answered. */
  now(): number | undefined {
    return this.serverClock.at(this.options.clock.nowMicros());
  }

  start(): void {
    this.look();
  }

  async close(): Promise<void> {
    this.ending.abort();
    this.timer?.cancel();
    await this.asking;
  }

  private look(): void {
    this.asking = this.ask().then((waitMs) => {
      if (this.ending.signal.aborted) return;
      this.timer = this.options.clock.after(waitMs, () => this.look());
    });
  }

  /** Resolves to how long to wait before the next look. */
  private async ask(): Promise<number> {
    const { client, selection, clock } = this.options;
    const sent = clock.nowMicros();
    try {
      const { serverMicros } = await client.list(selection, this.ending.signal);
      const received = clock.nowMicros();
      if (serverMicros === undefined) return restMs;
      const before = this.serverClock.errorMicros(received);
      this.serverClock.observe(serverMicros, sent, received);
      this.pace.worked();
      if (this.serverClock.errorMicros(received) < before) this.options.improved();
      return this.untilNextLook(received - sent);
    } catch (thrown) {
      const error = thrown instanceof ApiError ? thrown : undefined;
      return this.pace.next(error);
    }
  }

  private untilNextLook(roundTripMicros: number): number {
    const now = this.options.clock.nowMicros();
    const isGood = this.serverClock.errorMicros(now) <= Math.max(goodErrorMicros, roundTripMicros);
    if (isGood || ++this.looks >= mostLooks) {
      this.looks = 0;
      return restMs * (0.5 + this.options.random() / 2);
    }
    const micros = this.serverClock.nextSecondMicros(now) - roundTripMicros / 2;
    return Math.max(50, micros / 1000);
  }
}
