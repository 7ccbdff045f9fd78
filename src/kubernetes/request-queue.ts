import type { Clock, Timer } from "../clock.ts";
import { ApiError } from "./api-error.ts";
import { RetryPace } from "./retry-pace.ts";

/** A change of the API that is made up for when it cannot be made at once. */
export interface QueuedRequest {
  /** Makes it. Rejects with ApiError: it is made again later where the error may pass. */
  send(signal: AbortSignal): Promise<void>;
  /** Whether it is of no use any more; then it is forgotten. */
  isOver(): boolean;
  /** It will not be made: the API refuses it for good (the error says so), or it is over (undefined). */
  gaveUp(error: ApiError | undefined): void;
}

export interface RequestQueueOptions {
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** How many may wait; one more is not taken. */
  readonly most: number;
  /** Told how many are not done yet, whenever that changes. */
  readonly changed: (waiting: number) => void;
  /** A request failed, and is made again later. */
  readonly failed: (error: ApiError) => void;
}

interface Entry {
  readonly request: QueuedRequest;
  readonly pace: RetryPace;
  timer: Timer | undefined;
}

/** A few at once: enough to be quick over a slow line, and too few to hurt a server that has just come back. */
const mostAtOnce = 8;

/** Errors that no repetition mends. */
const lasting: ReadonlySet<ApiError["code"]> = new Set(["refused", "too-large"]);

/**
 * Requests that must not be lost while the API is down. Each is tried again by itself, ever more seldom, so that one that is not
 * allowed does not hold up the others. Bounded in number; those that are over make room.
 */
export class RequestQueue {
  private readonly options: RequestQueueOptions;
  private readonly entries = new Set<Entry>();
  private ready: Entry[] = [];
  private readonly ending = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(options: RequestQueueOptions) {
    this.options = options;
  }

  /** How many are not done yet. */
  get waiting(): number {
    return this.entries.size;
  }

  /** Sends it as soon as possible; false when there is no room. */
  add(request: QueuedRequest): boolean {
    if (this.ending.signal.aborted) return false;
    if (this.entries.size >= this.options.most) this.forgetOver();
    if (this.entries.size >= this.options.most) return false;
    const entry: Entry = { request, pace: new RetryPace(this.options.random), timer: undefined };
    this.entries.add(entry);
    this.options.changed(this.waiting);
    this.ready.push(entry);
    this.run();
    return true;
  }

  /** The API is back: nobody waits any longer. */
  hurry(): void {
    for (const entry of this.entries) {
      if (entry.timer === undefined) continue;
      entry.timer.cancel();
      this.again(entry);
    }
  }

  /** Gives up what waits, without a word, and resolves when nothing is under way. */
  async close(): Promise<void> {
    this.ending.abort();
    for (const { timer } of this.entries) timer?.cancel();
    this.entries.clear();
    this.ready = [];
    await Promise.all(this.running);
  }

  private run(): void {
    while (this.running.size < mostAtOnce) {
      const entry = this.ready.shift();
      if (entry === undefined) return;
      const sent = this.send(entry).finally(() => {
        this.running.delete(sent);
        this.run();
      });
      this.running.add(sent);
    }
  }

  private async send(entry: Entry): Promise<void> {
    const { request } = entry;
    if (request.isOver()) return this.forget(entry, undefined);
    try {
      await request.send(this.ending.signal);
      this.leave(entry);
    } catch (thrown) {
      if (this.ending.signal.aborted) return;
      const error = thrown instanceof ApiError ? thrown : new ApiError("malformed", String(thrown), { cause: thrown });
      if (lasting.has(error.code)) this.forget(entry, error);
      else if (request.isOver()) this.forget(entry, undefined);
      else this.later(entry, error);
    }
  }

  private later(entry: Entry, error: ApiError): void {
    this.options.failed(error);
    entry.timer = this.options.clock.after(entry.pace.next(error), () => this.again(entry));
  }

  private again(entry: Entry): void {
    entry.timer = undefined;
    this.ready.push(entry);
    this.run();
  }

  private forget(entry: Entry, error: ApiError | undefined): void {
    this.leave(entry);
    entry.request.gaveUp(error);
  }

  private leave(entry: Entry): void {
    this.entries.delete(entry);
    this.options.changed(this.waiting);
  }

  private forgetOver(): void {
    for (const entry of this.entries) {
      if (entry.timer === undefined || !entry.request.isOver()) continue;
      entry.timer.cancel();
      this.forget(entry, undefined);
    }
  }
}
