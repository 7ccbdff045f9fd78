import type { Clock, Timer } from "../clock.ts";
import { type Address, sameAddress } from "../policy/address.ts";
import { isoTime } from "./audit-log.ts";

/** What `knockgate watch` shows. Times are ISO 8601; a step is a count, never a port. */
export interface WatchEvent {
  readonly time: string;
  readonly kind: WatchEventKind;
  readonly source?: string | undefined;
  /** `namespace/name`. */
  readonly policy?: string | undefined;
  /** Steps done now, and of how many. */
  readonly step?: number | undefined;
  readonly steps?: number | undefined;
  /** The policy's closing sequence, not its opening one. */
  readonly closing?: boolean | undefined;
  /** Ports behind the door, `22/tcp`. */
  readonly ports?: readonly string[] | undefined;
  readonly until?: string | undefined;
  /** Why, one sentence or a reason of the closed list; with `watching` what does not work, so that nothing may be seen. */
  readonly reason?: string | undefined;
  /** With `watching`: in force here, by `namespace/name`, those alone that take knocks from the source that is watched. */
  readonly policies?: readonly string[] | undefined;
  /** With `dropped`: how many events were not shown. */
  readonly count?: number | undefined;
}

/** What is watched, which comes first; outcomes of knocks, what became of grants, and a note that there was too much to show. */
export const watchEventKinds = [
  "watching",
  "advanced",
  "repeated",
  "completed",
  "reset",
  "expired",
  "ignored",
  "grant-added",
  "grant-renewed",
  "grant-shortened",
  "grant-revoked",
  "grant-expired",
  "grant-refused",
  "grant-failed",
  "dropped",
] as const;
export type WatchEventKind = (typeof watchEventKinds)[number];

/** Which events somebody wants; without a source all of them. */
export interface WatchFilter {
  readonly source?: Address | undefined;
}

/** Events that one watcher gets in a second, and watchers at once. A flood is counted, not shown. */
const eventsPerSecond = 200;
const watchersMax = 16;
const secondMicros = 1_000_000;

/** Hands events to whoever watches. Costs one comparison where nobody does. */
export class WatchHub {
  private readonly clock: Clock;
  private readonly watchers = new Set<Watcher>();
  private dropped = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether anybody watches; asked before an event is made. */
  get watched(): boolean {
    return this.watchers.size > 0;
  }

  /** Events that were not shown since the start. */
  get droppedEvents(): number {
    return this.dropped;
  }

  /** Calls the listener for each event from now on. Returns what ends it, or undefined where too many watch already. */
  subscribe(filter: WatchFilter, listener: (event: WatchEvent) => void): (() => void) | undefined {
    if (this.watchers.size >= watchersMax) return undefined;
    const watcher = new Watcher(this.clock, filter, listener);
    this.watchers.add(watcher);
    return () => {
      watcher.close();
      this.watchers.delete(watcher);
    };
  }

  /** Tells those who want events of this source; `make` runs only when one of them has room. */
  tell(source: Address, make: () => WatchEvent): void {
    let event: WatchEvent | undefined;
    for (const watcher of this.watchers) {
      if (!watcher.wants(source)) continue;
      if (!watcher.hasRoom()) {
        this.dropped++;
        continue;
      }
      event ??= make();
      watcher.listener(event);
    }
  }
}

/** One watcher and how much it was shown in the running second. */
class Watcher {
  readonly listener: (event: WatchEvent) => void;
  private readonly clock: Clock;
  private readonly filter: WatchFilter;
  private secondBegan = 0;
  private shown = 0;
  private missed = 0;
  private timer: Timer | undefined;

  constructor(clock: Clock, filter: WatchFilter, listener: (event: WatchEvent) => void) {
    this.clock = clock;
    this.filter = filter;
    this.listener = listener;
  }

  wants(source: Address): boolean {
    return this.filter.source === undefined || sameAddress(this.filter.source, source);
  }

  /** Whether one more event may be shown now; counts it as shown or missed. */
  hasRoom(): boolean {
    const now = this.clock.nowMicros();
    if (now - this.secondBegan >= secondMicros) {
      this.secondBegan = now;
      this.shown = 0;
    }
    if (this.shown < eventsPerSecond) {
      this.shown++;
      return true;
    }
    this.missed++;
    this.timer ??= this.clock.after(1000, () => this.tellMissed());
    return false;
  }

  close(): void {
    this.timer?.cancel();
  }

  private tellMissed(): void {
    this.timer = undefined;
    const count = this.missed;
    this.missed = 0;
    const time = isoTime(this.clock.wallMicros());
    this.listener({ time, kind: "dropped", count, reason: "there were too many to show" });
  }
}
