import type {
  Answer,
  ApiClient,
  ObjectList,
  Patch,
  Selection,
  WatchEvent,
  WatchRequest,
} from "../../src/kubernetes/api-client.ts";
import { ApiError, type ApiErrorCode } from "../../src/kubernetes/api-error.ts";
import type { Collection, KubeObject, ObjectAddress } from "../../src/kubernetes/resource.ts";

interface Change {
  readonly version: number;
  readonly plural: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** The API in memory: what is put is listed and watched at once. Field selectors by name only. */
export class FakeApi implements Pick<ApiClient, "list" | "watch" | "get" | "create" | "patch" | "delete"> {
  /** Every list that was asked for, as `secrets bastion metadata.name=knocks`. */
  readonly lists: string[] = [];
  /** The server's own clock, microseconds since the epoch; undefined: it sends no `Date`. */
  serverMicros: (() => number) | undefined;
  /** Creates, patches and deletes that were answered, as `create knockgrants bastion/ssh`. */
  readonly writes: string[] = [];
  /** Told before a create is carried out; may throw what the API answers. */
  beforeCreate: (object: KubeObject) => void = () => undefined;
  /** Watches that are open now. */
  openWatches = 0;
  private readonly objects = new Map<string, KubeObject>();
  private readonly changes: Change[] = [];
  private readonly held = new Set<string>();
  private readonly failures = new Map<string, ApiErrorCode>();
  private readonly waiting = new Set<() => void>();
  private version = 1;

  put(plural: string, object: KubeObject): void {
    const key = keyOf(plural, object);
    const type = this.objects.has(key) ? "MODIFIED" : "ADDED";
    this.record(plural, type, object);
  }

  remove(plural: string, object: KubeObject): void {
    this.record(plural, "DELETED", object);
  }

  /** Every request for the kind fails from now on, watches that are open too; undefined: works again. */
  fail(plural: string, code: ApiErrorCode | undefined): void {
    if (code === undefined) this.failures.delete(plural);
    else this.failures.set(plural, code);
    this.wake();
  }

  /** Watches of the kind are late from now on. */
  hold(plural: string): void {
    this.held.add(plural);
  }

  /** And show what has come of it meanwhile, as servers do that merge events: what came and went is not seen. */
  letGo(plural: string): void {
    this.held.delete(plural);
    for (const { object } of this.changes.filter(({ type }) => type === "DELETED"))
      this.changes.splice(
        0,
        this.changes.length,
        ...this.changes.filter((change) => change.object.metadata.name !== object.metadata.name),
      );
    this.wake();
  }

  async list(selection: Selection, _signal: AbortSignal): Promise<Answer<ObjectList>> {
    const { kind, namespace, fieldSelector } = selection;
    this.lists.push([kind.plural, namespace, fieldSelector].filter((part) => part !== undefined).join(" "));
    this.throwFailure(kind.plural);
    const objects = [...this.objects]
      .filter(([key, object]) => key.startsWith(`${kind.plural} `) && isSelected(object, selection))
      .map(([, object]) => object);
    return { body: { objects, resourceVersion: String(this.version) }, serverMicros: this.date() };
  }

  async get({ kind, namespace, name }: ObjectAddress, _signal: AbortSignal): Promise<Answer<KubeObject>> {
    this.throwFailure(kind.plural);
    const found = this.objects.get(`${kind.plural} ${namespace ?? ""}/${name}`);
    if (found === undefined) throw new ApiError("missing", name);
    return { body: found, serverMicros: this.date() };
  }

  async create({ kind: { plural } }: Collection, object: unknown, _signal: AbortSignal): Promise<Answer<KubeObject>> {
    this.throwFailure(plural);
    const sent = object as KubeObject;
    this.beforeCreate(sent);
    const key = keyOf(plural, sent);
    if (this.objects.has(key)) throw new ApiError("conflict", key);
    const born = new Date((this.date() ?? 0) / 1000).toISOString().replace(".000Z", "Z");
    const metadata = { ...sent.metadata, uid: `uid-${this.version + 1}`, creationTimestamp: born };
    this.put(plural, { ...sent, metadata });
    this.writes.push(`create ${key}`);
    return { body: this.objects.get(key) as KubeObject, serverMicros: this.date() };
  }

  /** Of a status only: its fields take the place of those that are there. */
  async patch(address: ObjectAddress, { body }: Patch, _signal: AbortSignal): Promise<Answer<KubeObject>> {
    const { plural } = address.kind;
    this.throwFailure(plural);
    const key = `${plural} ${address.namespace ?? ""}/${address.name}`;
    const found = this.objects.get(key);
    if (found === undefined) throw new ApiError("missing", address.name);
    const { status } = body as { readonly status: object };
    const patched = { ...found, status: { ...(found as { readonly status?: object }).status, ...status } };
    this.put(plural, patched);
    this.writes.push(`patch ${key}`);
    return { body: patched, serverMicros: this.date() };
  }

  async delete({ kind, namespace, name }: ObjectAddress, _signal: AbortSignal, uid?: string): Promise<void> {
    this.throwFailure(kind.plural);
    const key = `${kind.plural} ${namespace ?? ""}/${name}`;
    const found = this.objects.get(key);
    if (found === undefined) throw new ApiError("missing", name);
    if (uid !== undefined && found.metadata.uid !== uid) throw new ApiError("conflict", name);
    this.remove(kind.plural, found);
    this.writes.push(`delete ${key}`);
  }

  /** What there is of a kind. */
  all(plural: string): readonly KubeObject[] {
    return [...this.objects].filter(([key]) => key.startsWith(`${plural} `)).map(([, object]) => object);
  }

  /** To whole seconds, cut off, as servers send it. */
  private date(): number | undefined {
    const now = this.serverMicros?.();
    return now === undefined ? undefined : Math.floor(now / 1e6) * 1e6;
  }

  async *watch(
    selection: Selection,
    request: WatchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly WatchEvent[]> {
    let seen = Number(request.resourceVersion);
    this.openWatches++;
    try {
      yield [];
      for (;;) {
        this.throwFailure(selection.kind.plural);
        if (signal.aborted) throw new ApiError("stopped", "");
        if (this.held.has(selection.kind.plural)) {
          await this.nextChange(signal);
          continue;
        }
        const news = this.changes.filter(({ version }) => version > seen);
        seen = this.version;
        const own = news.filter(
          ({ plural, object }) => plural === selection.kind.plural && isSelected(object, selection),
        );
        if (own.length > 0) yield own.map(({ type, object }) => ({ type, object }));
        else await this.nextChange(signal);
      }
    } finally {
      this.openWatches--;
    }
  }

  private record(plural: string, type: Change["type"], object: KubeObject): void {
    this.version++;
    const metadata = { ...object.metadata, resourceVersion: String(this.version) };
    const versioned = { ...object, metadata };
    const key = keyOf(plural, object);
    if (type === "DELETED") this.objects.delete(key);
    else this.objects.set(key, versioned);
    this.changes.push({ version: this.version, plural, type, object: versioned });
    this.wake();
  }

  private throwFailure(plural: string): void {
    const code = this.failures.get(plural);
    if (code !== undefined) throw new ApiError(code, "");
  }

  private nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.add(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}

function keyOf(plural: string, { metadata }: KubeObject): string {
  return `${plural} ${metadata.namespace ?? ""}/${metadata.name}`;
}

function isSelected({ metadata }: KubeObject, { namespace, fieldSelector }: Selection): boolean {
  if (namespace !== undefined && metadata.namespace !== namespace) return false;
  return fieldSelector === undefined || fieldSelector === `metadata.name=${metadata.name}`;
}
