/**
 * Keeps a complete copy of some objects of the API: lists them, then watches what changes. Whatever happens, it goes on by
 * itself, and what it last knew stays. Ours, because the client library's informer ends for ever after one error, in several
 * ways without a word.
 *
 * | what happens | what follows |
 * |---|---|
 * | the server ends the watch after its time | watched again at once, from the last version |
 * | the same within a second, a reset, 5xx, an `ERROR` event, silence for too long | the same after a growing, jittered wait |
 * | 410, or an `ERROR` event that says so | listed again |
 * | an unreadable or too long line | listed again, after the wait |
 * | 401 | the token is read again; at once, later with the wait |
 * | 403, 404 | a slow, jittered retry: a role or the CRD may come |
 * | 429, or any answer with Retry-After | as long as the server asks |
 */
import type { Clock } from "../clock.ts";
import type { ApiClient, Selection, WatchEvent } from "./api-client.ts";
import { ApiError, errorOfEvent } from "./api-error.ts";
import { type Condition, causeOf, type ReflectorReport, type WatchName } from "./reflector-report.ts";
import { isKubeObject, type KubeObject } from "./resource.ts";
import { RetryPace } from "./retry-pace.ts";

/** The complete copy; objects by `namespace/name`. */
export type Objects = ReadonlyMap<string, KubeObject>;

/** What a reflector works with. */
export interface ReflectorOptions {
  readonly client: Pick<ApiClient, "list" | "watch">;
  readonly selection: Selection;
  /** What it is in metrics and logs. */
  readonly name: WatchName;
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly report: ReflectorReport;
  /** Told the whole copy after each list and each change. */
  readonly changed: (objects: Objects) => void;
  /** Told when it becomes current, and each time when a request has failed. */
  readonly conditionChanged?: ((condition: Condition) => void) | undefined;
}

/**
 * On a quiet watch the first bookmark comes after up to two minutes, then one a minute (measured, Kubernetes 1.36): the API server
 * makes one a minute, and leaves out those that say no newer version than the one the watch began at (k8s.io/apiserver,
 * `cacheWatcher.process`). What is silent for longer is dead. A shorter wait would begin every quiet watch of every agent anew each minute; a peer that is gone is
 * noticed sooner by the probes of TCP.
 */
const idleMs = 150_000;
/** The server ends watches after five to ten minutes, not all at once. */
const shortestWatchSeconds = 300;
/** A watch that ended before this was of no use. */
const usefulMicros = 1_000_000;

/** See the head of the file. */
export class Reflector {
  private readonly options: ReflectorOptions;
  private readonly pace: RetryPace;
  private running: { readonly ending: AbortController; readonly ended: Promise<void> } | undefined;
  private copy: Objects | undefined;
  /** Where the next watch begins; undefined: list first. */
  private version: string | undefined;
  private state: Condition = { kind: "waiting" };
  /** Who waits for a list that begins from now on. */
  private asking: (() => void)[] = [];
  /** Ends the wait or watch that is under way. */
  private interrupt: () => void = () => {};

  constructor(options: ReflectorOptions) {
    this.options = options;
    this.pace = new RetryPace(options.random);
  }

  /** The last complete copy; undefined before the first list. */
  get objects(): Objects | undefined {
    return this.copy;
  }

  get condition(): Condition {
    return this.state;
  }

  /**
   * Begins; resolves when the first list has succeeded or failed, or when it is stopped. Without effect when it has begun, and
   * resolves at once.
   */
  start(): Promise<void> {
    if (this.running !== undefined) return Promise.resolve();
    const ending = new AbortController();
    this.state = { kind: "waiting" };
    const tried = new Promise<void>((resolve) => this.asking.push(resolve));
    this.running = { ending, ended: Promise.resolve().then(() => this.run(ending.signal)) };
    return tried;
  }

  /** Nothing is told any more once this was called; resolves when no request is under way. May be started again at once. */
  async stop(): Promise<void> {
    const { running } = this;
    if (running === undefined) return;
    this.running = undefined;
    running.ending.abort();
    this.interrupt();
    for (const asked of this.asking.splice(0)) asked();
    this.options.report.condition(this.options.name, undefined);
    await running.ended;
  }

  /** Lists again at once. Resolves when a list that began after this call has succeeded or failed, or when it is stopped. */
  relist(): Promise<void> {
    if (this.running === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.asking.push(resolve);
      this.interrupt();
    });
  }

  private async run(ending: AbortSignal): Promise<void> {
    while (!ending.aborted) {
      const waitMs = await this.round(ending);
      if (waitMs > 0 && !ending.aborted) await this.pause(waitMs);
    }
  }

  /** One list or watch, to its end; how long to wait before the next. */
  private async round(ending: AbortSignal): Promise<number> {
    const { name, report, clock } = this.options;
    const began = clock.nowMicros();
    const isWatch = this.version !== undefined && this.asking.length === 0;
    const asked = isWatch ? [] : this.asking.splice(0);
    try {
      if (isWatch) await this.watch(ending);
      else await this.list(ending);
      if (!isWatch || ending.aborted) return 0;
      const wasAsked = this.asking.length > 0;
      report.restarted(name, wasAsked ? "asked" : "ended");
      return wasAsked || this.wasUseful(began) ? 0 : this.pace.next(undefined);
    } catch (thrown) {
      if (ending.aborted) return 0;
      const error = thrown instanceof ApiError ? thrown : new ApiError("malformed", String(thrown), { cause: thrown });
      if (isWatch) this.wasUseful(began);
      return this.failed(error, isWatch);
    } finally {
      for (const each of asked) each();
    }
  }

  private wasUseful(beganMicros: number): boolean {
    const useful = this.options.clock.nowMicros() - beganMicros >= usefulMicros;
    if (useful) this.pace.worked();
    return useful;
  }

  private failed(error: ApiError, wasWatch: boolean): number {
    if (wasWatch && this.asking.length > 0) {
      this.options.report.restarted(this.options.name, "asked");
      return 0;
    }
    this.options.report.restarted(this.options.name, causeOf(error.code));
    if (mustList(error)) this.version = undefined;
    // A watch whose version is too old says nothing about the API, and is no failure when it lived.
    if (!(wasWatch && error.code === "expired")) this.become({ kind: "failing", error });
    return this.pace.next(error);
  }

  private async list(ending: AbortSignal): Promise<void> {
    const { body } = await this.options.client.list(this.options.selection, ending);
    if (ending.aborted) return;
    const { objects, resourceVersion } = body;
    this.version = resourceVersion;
    this.become({ kind: "current" });
    this.tell(new Map(objects.map((object) => [keyOf(object), object])));
  }

  private async watch(ending: AbortSignal): Promise<void> {
    const { client, selection, random } = this.options;
    const watching = new AbortController();
    this.interrupt = () => watching.abort();
    const timeoutSeconds = Math.round(shortestWatchSeconds * (1 + random()));
    const request = { resourceVersion: this.version ?? "", timeoutSeconds, idleMs };
    for await (const events of client.watch(selection, request, watching.signal)) {
      if (ending.aborted) return;
      this.become({ kind: "current" });
      this.apply(events);
    }
  }

  /** What comes before a bad event counts, and is told. */
  private apply(events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    const copy = new Map(this.copy);
    let changed = false;
    try {
      for (const event of events) changed = this.applyOne(event, copy) || changed;
    } finally {
      if (changed) this.tell(copy);
    }
  }

  /** Whether the copy has changed. */
  private applyOne({ type, object }: WatchEvent, copy: Map<string, KubeObject>): boolean {
    if (type === "ERROR") throw errorOfEvent(object);
    const version = versionOf(object);
    if (version === undefined) throw new ApiError("malformed", "an event without a version");
    if (type !== "BOOKMARK") {
      if (!isKubeObject(object)) throw new ApiError("malformed", "an event without an object");
      if (type === "DELETED") copy.delete(keyOf(object));
      else copy.set(keyOf(object), object);
    }
    this.version = version;
    return type !== "BOOKMARK";
  }

  private become(condition: Condition): void {
    if (condition.kind === "current" && this.state.kind === "current") return;
    this.state = condition;
    if (this.running !== undefined) this.options.report.condition(this.options.name, condition);
    this.call(() => this.options.conditionChanged?.(condition));
  }

  private tell(objects: Objects): void {
    this.copy = objects;
    this.call(() => this.options.changed(objects));
  }

  /** What others do with what they are told must not end the watch. */
  private call(handler: () => void): void {
    if (this.running === undefined) return;
    try {
      handler();
    } catch (error) {
      this.options.report.handlerFailed(this.options.name, error);
    }
  }

  private pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.asking.length > 0) return resolve();
      const timer = this.options.clock.after(waitMs, resolve);
      this.interrupt = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

/** Errors after which the copy may lack something, so that a watch from the last version will not do. */
function mustList({ code }: ApiError): boolean {
  return code === "expired" || code === "malformed" || code === "too-large" || code === "missing";
}

function versionOf(object: unknown): string | undefined {
  const metadata = (object as { metadata?: { resourceVersion?: unknown } } | null | undefined)?.metadata;
  return typeof metadata?.resourceVersion === "string" ? metadata.resourceVersion : undefined;
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
