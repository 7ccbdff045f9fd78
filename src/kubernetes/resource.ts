/** One kind of resource as the API's paths name it; `group` is empty for the core group. */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  /** Lower case and in the plural: `knocksequences`. */
  readonly plural: string;
}

/** Knockgate's own kinds. */
export const knockKinds = {
  knocksequences: knockKind("knocksequences"),
  knocknodes: knockKind("knocknodes"),
  knockgrants: knockKind("knockgrants"),
};

function knockKind(plural: string): ResourceKind {
  return { group: "knockgate.io", version: "v1alpha1", plural };
}

/** All objects of a kind, of one namespace or of all; for a kind without namespaces simply all. */
export interface Collection {
  readonly kind: ResourceKind;
  readonly namespace?: string | undefined;
}

/** One object of a collection, or a part of it. */
export interface ObjectAddress extends Collection {
  readonly name: string;
  readonly subresource?: "status" | undefined;
}

/** What every object carries; `uid` to `creationTimestamp` are the server's, and absent in what is sent. */
export interface ObjectMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An object as the API sends it. Beyond its metadata nothing is vouched for. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMetadata;
}

/** Whether a value has what every object has; anything else from the API is refused as malformed. */
export function isKubeObject(value: unknown): value is KubeObject {
  const metadata = typeof value === "object" && value !== null ? (value as { metadata?: unknown }).metadata : undefined;
  if (typeof metadata !== "object" || metadata === null) return false;
  return typeof (metadata as { name?: unknown }).name === "string";
}

/** The path of a collection or an object: `/apis/knockgate.io/v1alpha1/namespaces/bastion/knocksequences/ssh`. */
export function pathOf(of: Collection | ObjectAddress): string {
  const { group, version, plural } = of.kind;
  const parts = group === "" ? ["api", version] : ["apis", group, version];
  if (of.namespace !== undefined) parts.push("namespaces", of.namespace);
  parts.push(plural);
  if ("name" in of) parts.push(of.name, ...(of.subresource === undefined ? [] : [of.subresource]));
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

/** A time as the API writes it (metav1.Time): RFC 3339 with whole seconds, of microseconds since the epoch. */
export function apiTime(micros: number): string {
  return new Date(micros / 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
