/**
 * Events on KnockSequences, for `kubectl describe` and `kubectl get events`, written as client-go's recorder writes them: one
 * object (core/v1) for each thing that is said of an object, whose `count` grows when it is said again. An events.k8s.io/v1
 * object does not fit: only its series may change, which counts from two on.
 *
 *     told ──► summed for a while ──► a token of the KnockSequence's bucket ──► one write
 *                    ▲                        │ none left
 *                    └────────────────────────┘ summed for longer
 *
 * Nothing is lost by the bound but time, and nothing depends on an Event: what the API does not allow is dropped.
 */
import type { Clock, Timer } from "../clock.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiError, type ApiErrorCode } from "./api-error.ts";
import { apiTime, type ObjectMetadata, type ResourceKind } from "./resource.ts";
import { TokenBucket } from "./token-bucket.ts";
import { WriteQueue } from "./write-queue.ts";

const events: ResourceKind = { group: "", version: "v1", plural: "events" };

/** What is said of a KnockSequence, and whether it is a warning. */
const types = { Accepted: "Normal", Rejected: "Warning", Granted: "Normal", Revoked: "Normal" } as const;
export type EventReason = keyof typeof types;

/** How long the same is summed: a verdict is waited for, a count is not. */
const sumMs: Readonly<Record<EventReason, number>> = {
  Accepted: 1000,
  Rejected: 1000,
  Granted: 10_000,
  Revoked: 10_000,
};
/** For each KnockSequence, as client-go's spam filter has it: 25 writes, and one more every five minutes. */
const [bucketSize, bucketRefillMs] = [25, 300_000];
/** For all together: five a second. */
const pauseMs = 200;
/** What is told of at most at once; the oldest is forgotten, and begins with a new object when it is told again. */
const mostSeries = 4096;
/** An object's name has 253 characters at most (RFC 1123); the time and a dot are added to the sequence's. */
const mostNameCharacters = 230;

/** What the recorder works with. */
export interface EventRecorderOptions {
  readonly client: Pick<ApiClient, "create" | "patch">;
  readonly clock: Clock;
  /** Who reports: the node, where it is known. */
  readonly host: string;
  /** An Event could not be written. */
  readonly failed: (error: ApiError) => void;
}

/** A KnockSequence as the API has it. */
export type EventSubject = Pick<ObjectMetadata, "namespace" | "name" | "uid">;

/** The same said of the same object, in one Event. */
interface Series {
  readonly subject: EventSubject;
  readonly reason: EventReason;
  readonly message: string;
  /** Of the Event; undefined before it is made. */
  name: string | undefined;
  firstWallMicros: number;
  lastWallMicros: number;
  /** Written already. */
  count: number;
  /** Not written yet. */
  pending: number;
  timer: Timer | undefined;
}

/** Errors after which an Event is not tried again: the role is missing, the namespace ends, the object is not taken. */
const dropping: ReadonlySet<ApiErrorCode> = new Set(["forbidden", "refused", "missing", "too-large"]);

/** See the head of the file. */
export class EventRecorder {
  private readonly options: EventRecorderOptions;
  private readonly queue: WriteQueue;
  /** In the order in which they were last told. */
  private readonly series = new Map<string, Series>();
  private readonly buckets = new Map<string, TokenBucket>();
  private isClosed = false;

  constructor(options: EventRecorderOptions) {
    this.options = options;
    this.queue = new WriteQueue({ clock: options.clock, pauseMs, failed: options.failed });
  }

  /** Tells it, once more or for the first time. The message holds no address and no step. */
  tell(subject: EventSubject, reason: EventReason, message: string): void {
    if (this.isClosed || subject.uid === undefined) return;
    const key = `${subject.uid} ${reason} ${message}`;
    const now = this.options.clock.wallMicros();
    const one = this.series.get(key) ?? newSeries(subject, reason, message, now);
    one.pending++;
    one.lastWallMicros = now;
    this.series.delete(key);
    this.series.set(key, one);
    this.forgetOldest();
    one.timer ??= this.options.clock.after(sumMs[reason], () => this.due(key, one));
  }

  /** KnockSequences with these uids are all there are; what was to be said of others is forgotten. */
  keep(uids: ReadonlySet<string>): void {
    for (const [key, one] of this.series) if (!uids.has(one.subject.uid ?? "")) this.forget(key, one);
    for (const uid of this.buckets.keys()) if (!uids.has(uid)) this.buckets.delete(uid);
  }

  /** What is not written yet is not any more. Idempotent. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const [key, one] of this.series) this.forget(key, one);
    await this.queue.close();
  }

  private due(key: string, one: Series): void {
    one.timer = undefined;
    const waitMs = this.bucketOf(one.subject).take();
    if (waitMs > 0) one.timer = this.options.clock.after(waitMs, () => this.due(key, one));
    else this.queue.ask(key, (signal) => this.write(one, signal));
  }

  private bucketOf({ uid = "" }: EventSubject): TokenBucket {
    const bucket = this.buckets.get(uid) ?? new TokenBucket(this.options.clock, bucketSize, bucketRefillMs);
    this.buckets.set(uid, bucket);
    return bucket;
  }

  private async write(one: Series, signal: AbortSignal): Promise<void> {
    const { pending } = one;
    if (pending === 0) return;
    try {
      if (!(await this.add(one, pending, signal))) await this.create(one, pending, signal);
      one.pending -= pending;
    } catch (error) {
      if (!(error instanceof ApiError && dropping.has(error.code))) throw error;
      one.pending -= pending;
      this.options.failed(error);
    }
  }

  /** Adds to the Event that is there; false where there is none, or none any more: the API keeps Events for an hour. */
  private async add(one: Series, more: number, signal: AbortSignal): Promise<boolean> {
    const { name, subject } = one;
    if (name === undefined) return false;
    const body = { count: one.count + more, lastTimestamp: apiTime(one.lastWallMicros) };
    const address = { kind: events, namespace: subject.namespace, name };
    try {
      await this.options.client.patch(address, { kind: "merge", body }, signal);
      one.count += more;
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code === "missing") return false;
      throw error;
    }
  }

  private async create(one: Series, count: number, signal: AbortSignal): Promise<void> {
    const { namespace } = one.subject;
    if (one.count > 0) one.firstWallMicros = one.lastWallMicros;
    const event = eventOf(one, count, this.options);
    await this.options.client.create({ kind: events, namespace }, event, signal);
    one.name = event.metadata.name;
    one.count = count;
  }

  private forgetOldest(): void {
    if (this.series.size <= mostSeries) return;
    const [oldest] = this.series;
    if (oldest !== undefined) this.forget(...oldest);
  }

  private forget(key: string, one: Series): void {
    one.timer?.cancel();
    one.pending = 0;
    this.series.delete(key);
  }
}

function newSeries(subject: EventSubject, reason: EventReason, message: string, wallMicros: number): Series {
  const times = { firstWallMicros: wallMicros, lastWallMicros: wallMicros };
  return { subject, reason, message, ...times, name: undefined, count: 0, pending: 0, timer: undefined };
}

/** As client-go names it: after its object and the time, in hexadecimal. */
function eventOf(one: Series, count: number, { clock, host }: EventRecorderOptions) {
  const { subject, reason, message, firstWallMicros, lastWallMicros } = one;
  const { namespace, name, uid } = subject;
  const stem = name.slice(0, mostNameCharacters).replace(/[^a-z0-9]+$/, "");
  const eventName = `${stem}.${Math.round(clock.wallMicros()).toString(16)}`;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace, name: eventName },
    involvedObject: { apiVersion: "knockgate.io/v1alpha1", kind: "KnockSequence", namespace, name, uid },
    type: types[reason],
    reason,
    message,
    count,
    firstTimestamp: apiTime(firstWallMicros),
    lastTimestamp: apiTime(lastWallMicros),
    source: { component: "knockgate", host },
    reportingComponent: "knockgate",
    reportingInstance: host,
  };
}
