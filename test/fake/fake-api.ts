import type {
  Answer,
  ApiClient,
  ObjectList,
  Selection,
  WatchEvent,
  WatchRequest,
} from "../../src/kubernetes/api-client.ts";
import { ApiError, type ApiErrorCode } from "../../src/kubernetes/api-error.ts";
import type { KubeObject } from "../../src/kubernetes/resource.ts";

interface Change {
  readonly version: number;
  readonly plural: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** The API in memory: what is put is listed and watched at once. Field selectors by name only. */
export class FakeApi implements Pick<ApiClient, "list" | "watch"> {
  /** Every list that was asked for, as `secrets bastion metadata.name=knocks`. */
  readonly lists: string[] = [];
  /** Watches that are open now. */
  openWatches = 0;
  private readonly objects = new Map<string, KubeObject>();
  private readonly changes: Change[] = [];
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

  async list(selection: Selection, _signal: AbortSignal): Promise<Answer<ObjectList>> {
    const { kind, namespace, fieldSelector } = selection;
    this.lists.push([kind.plural, namespace, fieldSelector].filter((part) => part !== undefined).join(" "));
    this.throwFailure(kind.plural);
    const objects = [...this.objects]
      .filter(([key, object]) => key.startsWith(`${kind.plural} `) && isSelected(object, selection))
      .map(([, object]) => object);
    return { body: { objects, resourceVersion: String(this.version) }, serverMicros: undefined };
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
