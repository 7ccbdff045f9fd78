import type { IncomingMessage } from "node:http";
import type { Clock } from "../clock.ts";
import { LineReader } from "../line-reader.ts";
import { ApiError, errorOfAnswer, errorOfSocket } from "./api-error.ts";
import type { ApiAccess, Credentials } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { type ExchangeRequest, openExchange, readBody } from "./http-exchange.ts";
import { type Collection, isKubeObject, type KubeObject, type ObjectAddress, pathOf } from "./resource.ts";

/** Which objects of a collection; RBAC by `resourceNames` wants `metadata.name=…` as `fieldSelector` for list and watch. */
export interface Selection extends Collection {
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

/** What a request answered. */
export interface Answer<Body> {
  readonly body: Body;
  /** The server's now, in microseconds since the epoch, to the second; undefined where it sent no `Date`. */
  readonly serverMicros: number | undefined;
}

/** A complete list, however many pages it took. */
export interface ObjectList {
  readonly objects: readonly KubeObject[];
  /** Where a watch goes on. */
  readonly resourceVersion: string;
}

/** One event of a watch, in the API's words. `ERROR` is thrown instead by whoever reads it. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: unknown;
}

/** How a watch is asked for. */
export interface WatchRequest {
  readonly resourceVersion: string;
  /** After this the server ends it in good order. */
  readonly timeoutSeconds: number;
  /** Without a single byte for this long it fails with `idle`. */
  readonly idleMs: number;
}

/** How an object is changed. */
export type Patch =
  | { readonly kind: "merge"; readonly body: unknown }
  /** Server-side apply: the fields named are the manager's; `force` takes them from others. */
  | { readonly kind: "apply"; readonly body: unknown; readonly manager: string; readonly force: boolean };

/** Bounds of what is read: a page, a list, one line of a watch (etcd takes no object above 1.5 MiB), and any other answer. */
const pageObjects = 500;
const mostListBytes = 64 << 20;
const mostLineBytes = 4 << 20;
const mostBodyBytes = 8 << 20;
const requestMs = 30_000;
/** What the server may be late with ending a watch in good order. */
const graceMs = 30_000;

/**
 * The Kubernetes API in a few calls. Each is bounded in time and size, ends with the signal, and rejects with an `ApiError`;
 * none is retried. `unauthorized` makes the credentials read the token again, so a second try has the newest one.
 */
export class ApiClient {
  private readonly credentials: Credentials;
  private readonly clock: Clock;

  constructor(options: { readonly credentials: Credentials; readonly clock: Clock }) {
    this.credentials = options.credentials;
    this.clock = options.clock;
  }

  /** Everything that is selected, as it is now and not as a cache has it. `expired` when it took longer than its pages are kept. */
  async list(selection: Selection, signal: AbortSignal): Promise<Answer<ObjectList>> {
    const objects: KubeObject[] = [];
    let left = mostListBytes;
    let next = "";
    for (;;) {
      const query = new URLSearchParams({ limit: String(pageObjects), ...(next === "" ? {} : { continue: next }) });
      const { text, serverMicros } = await this.exchange(
        { method: "GET", path: pathWith(selection, query), signal },
        left,
      );
      left -= text.length;
      const page = pageOf(parse(text));
      objects.push(...page.objects);
      next = page.next;
      if (next === "") return { body: { objects, resourceVersion: page.resourceVersion }, serverMicros };
    }
  }

  /**
   * What changes after a version, as it comes: an empty array when the server has begun to answer, then one for each piece of
   * the answer, empty where no line has ended. Ends when the server ends it in good order; throws when anything else does.
   */
  async *watch(
    selection: Selection,
    request: WatchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly WatchEvent[]> {
    const query = new URLSearchParams({
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: request.resourceVersion,
      timeoutSeconds: String(request.timeoutSeconds),
    });
    const whole = new Deadline(this.clock, signal);
    const idle = new Deadline(this.clock, whole.signal);
    whole.within(request.timeoutSeconds * 1000 + graceMs);
    idle.within(Math.min(requestMs, request.idleMs));
    let answer: IncomingMessage | undefined;
    try {
      answer = await this.open({ method: "GET", path: pathWith(selection, query), signal: idle.signal });
      const lines = new LineReader(mostLineBytes);
      yield [];
      idle.within(request.idleMs);
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        idle.within(request.idleMs);
        yield eventsOf(lines.read(chunk));
        idle.within(request.idleMs);
      }
    } catch (error) {
      if (signal.aborted) throw new ApiError("stopped", "");
      throw idle.isLate || whole.isLate ? new ApiError("idle", "") : errorOfSocket(error);
    } finally {
      answer?.destroy();
      idle.close();
      whole.close();
    }
  }

  get(address: ObjectAddress, signal: AbortSignal): Promise<Answer<KubeObject>> {
    return this.ask({ method: "GET", path: pathOf(address), signal });
  }

  /** `conflict` when there is one of this name already. */
  create(collection: Collection, object: unknown, signal: AbortSignal): Promise<Answer<KubeObject>> {
    const body = JSON.stringify(object);
    return this.ask({ method: "POST", path: pathOf(collection), contentType: "application/json", body, signal });
  }

  /** The content type is said for each: no default of a client fits both (kubernetes-client/javascript#862). */
  patch(address: ObjectAddress, patch: Patch, signal: AbortSignal): Promise<Answer<KubeObject>> {
    const body = JSON.stringify(patch.body);
    const request = { method: "PATCH", path: pathOf(address), body, signal } as const;
    if (patch.kind === "merge") return this.ask({ ...request, contentType: "application/merge-patch+json" });
    const query = new URLSearchParams({ fieldManager: patch.manager, force: String(patch.force) });
    // JSON is YAML, and servers before 1.32 know no other name for it.
    return this.ask({ ...request, path: `${request.path}?${query}`, contentType: "application/apply-patch+yaml" });
  }

  /** Resolves also when the object only begins to end (finalizers). With `uid` only that very object: else `conflict`. */
  async delete(address: ObjectAddress, signal: AbortSignal, uid?: string): Promise<void> {
    const options = {
      kind: "DeleteOptions",
      apiVersion: "v1",
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    };
    const body = JSON.stringify(options);
    const request = { method: "DELETE", path: pathOf(address), contentType: "application/json", body, signal } as const;
    await this.exchange(request, mostBodyBytes);
  }

  /** Ends every connection; idempotent. */
  close(): void {
    this.credentials.close();
  }

  private async ask(request: ExchangeRequest): Promise<Answer<KubeObject>> {
    const { text, serverMicros } = await this.exchange(request, mostBodyBytes);
    const body = parse(text);
    if (!isKubeObject(body)) throw new ApiError("malformed", "no object");
    return { body, serverMicros };
  }

  /** One request and its whole answer. */
  private async exchange(request: ExchangeRequest, mostBytes: number) {
    const deadline = new Deadline(this.clock, request.signal);
    deadline.within(requestMs);
    try {
      const answer = await this.open({ ...request, signal: deadline.signal });
      return { text: await readBody(answer, mostBytes), serverMicros: dateOf(answer) };
    } catch (error) {
      if (request.signal.aborted) throw new ApiError("stopped", "");
      throw deadline.isLate ? new ApiError("late", `${requestMs / 1000} s`) : error;
    } finally {
      deadline.close();
    }
  }

  /** The head of a good answer; a bad one becomes an error. */
  private async open(request: ExchangeRequest): Promise<IncomingMessage> {
    const access: ApiAccess = await this.credentials.access();
    const answer = await openExchange(access, request);
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status === 401) this.credentials.renew();
    const body = parseLeniently(await readBody(answer, mostBodyBytes));
    throw errorOfAnswer(status, body, answer.headers["retry-after"]);
  }
}

function pathWith(selection: Selection, query: URLSearchParams): string {
  for (const name of ["fieldSelector", "labelSelector"] as const) {
    const selector = selection[name];
    if (selector !== undefined) query.set(name, selector);
  }
  return `${pathOf(selection)}?${query}`;
}

function dateOf(answer: IncomingMessage): number | undefined {
  const millis = Date.parse(answer.headers.date ?? "");
  return Number.isNaN(millis) ? undefined : millis * 1000;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The library's message quotes the text.
    throw new ApiError("malformed", "not JSON", error instanceof SyntaxError ? {} : { cause: error });
  }
}

function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page; the status says enough
  }
}

function pageOf(value: unknown): { readonly objects: readonly KubeObject[]; resourceVersion: string; next: string } {
  const { items, metadata } = (value ?? {}) as { items?: unknown; metadata?: Record<string, unknown> };
  const { resourceVersion, continue: next } = metadata ?? {};
  const objects = items ?? [];
  if (typeof resourceVersion !== "string" || !Array.isArray(objects) || !objects.every(isKubeObject))
    throw new ApiError("malformed", "no list");
  return { objects, resourceVersion, next: typeof next === "string" ? next : "" };
}

const eventTypes: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

function eventsOf(lines: readonly string[] | undefined): readonly WatchEvent[] {
  if (lines === undefined) throw new ApiError("too-large", `a line of more than ${mostLineBytes >> 20} MiB`);
  return lines
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const event = parse(line) as WatchEvent;
      if (!eventTypes.has(event?.type)) throw new ApiError("malformed", "no event");
      return event;
    });
}
