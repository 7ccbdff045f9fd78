import type { Answer, ApiClient, Patch } from "../../src/kubernetes/api-client.ts";
import { ApiError, type ApiErrorCode } from "../../src/kubernetes/api-error.ts";
import { type Collection, type KubeObject, type ObjectAddress, pathOf } from "../../src/kubernetes/resource.ts";

type Json = Readonly<Record<string, unknown>>;

/** Objects of the API in memory that several clients read and write, with versions that make late writers fail. */
export class StoredObjects implements Pick<ApiClient, "get" | "create" | "patch"> {
  /** Every write, as `PATCH /apis/…`. */
  readonly writes: string[] = [];
  /** What every request answers; undefined: as it should. */
  failure: ApiErrorCode | undefined;
  private readonly objects = new Map<string, KubeObject>();
  private version = 0;

  async get(address: ObjectAddress): Promise<Answer<KubeObject>> {
    this.throwFailure();
    const object = this.objects.get(pathOf(address));
    if (object === undefined) throw new ApiError("missing", "");
    return { body: object, serverMicros: undefined };
  }

  async create(collection: Collection, object: unknown): Promise<Answer<KubeObject>> {
    this.throwFailure();
    const { name } = (object as KubeObject).metadata;
    const path = pathOf({ ...collection, name });
    if (this.objects.has(path)) throw new ApiError("conflict", "");
    this.writes.push(`POST ${path}`);
    return this.store(path, object as KubeObject);
  }

  async patch(address: ObjectAddress, { kind, body }: Patch): Promise<Answer<KubeObject>> {
    this.throwFailure();
    const path = pathOf({ ...address, subresource: undefined });
    const before = this.objects.get(path);
    if (before === undefined && (kind === "merge" || address.subresource !== undefined))
      throw new ApiError("missing", "");
    const { resourceVersion } = (body as Partial<KubeObject>).metadata ?? {};
    if (resourceVersion !== undefined && resourceVersion !== before?.metadata.resourceVersion)
      throw new ApiError("conflict", "");
    this.writes.push(`PATCH ${pathOf(address)}`);
    return this.store(path, merge(before ?? {}, body as Json) as unknown as KubeObject);
  }

  /** Every object, in the order in which they were made. */
  get stored(): readonly KubeObject[] {
    return [...this.objects.values()];
  }

  /** Forgets everything, as the API does with old Events. */
  clear(): void {
    this.objects.clear();
  }

  private store(path: string, object: KubeObject): Answer<KubeObject> {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } };
    this.objects.set(path, stored);
    return { body: stored, serverMicros: undefined };
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw new ApiError(this.failure, "");
  }
}

function merge(into: object, patch: Json): Json {
  const merged: Record<string, unknown> = { ...into };
  for (const [name, value] of Object.entries(patch)) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    merged[name] = isObject ? merge((merged[name] as object | undefined) ?? {}, value as Json) : value;
  }
  return merged;
}
