import { conditionsOf, type StatusCondition } from "../kubernetes/condition.ts";
import type { KubeObject, ObjectMetadata } from "../kubernetes/resource.ts";
import { type Address, contains, formatAddress } from "../policy/address.ts";
import { formatDuration } from "../policy/duration.ts";
import { type GrantSpec, readGrantSpec } from "../policy/grant-spec.ts";
import type { GrantTerms } from "../policy/grant-terms.ts";
import type { Policy } from "../policy/policy.ts";
import { formatPort, type Port, portKey } from "../policy/port.ts";

const apiVersion = "knockgate.io/v1alpha1";

/** Which node's agent has created a grant, and so saw the knock; the admission policy holds an agent to its own. */
const nodeAnnotation = "knockgate.io/node";

/** A KnockGrant as it was read. All but its status stays the same while the object lives. */
export interface ReadGrant {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Microseconds since the epoch by the server's clock: the middle of the second that creationTimestamp names. */
  readonly bornMicros: number;
  readonly spec: GrantSpec;
  /** Whether an agent has created it, for a knock. */
  readonly isKnocks: boolean;
  readonly status: GrantStatusRead;
}

/** What stands in the status of a KnockGrant. */
export interface GrantStatusRead {
  readonly until: string | undefined;
  readonly conditions: readonly StatusCondition[];
}

/** Reads an object; undefined where it is not well formed, or is being deleted. Never throws. */
export function readGrant(object: KubeObject): ReadGrant | undefined {
  const { namespace, name, uid, creationTimestamp } = object.metadata as {
    readonly [field in keyof ObjectMetadata]?: unknown;
  };
  if (typeof namespace !== "string" || typeof name !== "string" || typeof uid !== "string") return undefined;
  const bornMs = typeof creationTimestamp === "string" ? Date.parse(creationTimestamp) : Number.NaN;
  const spec = readGrantSpec((object as { readonly spec?: unknown }).spec);
  if (Number.isNaN(bornMs) || spec === undefined || isEnding(object)) return undefined;
  const { annotations } = object.metadata as { readonly annotations?: Readonly<Record<string, string>> };
  const isKnocks = annotations?.[nodeAnnotation] !== undefined;
  const { until } = (object as { readonly status?: { readonly until?: unknown } }).status ?? {};
  const status = { until: typeof until === "string" ? until : undefined, conditions: conditionsOf(object) };
  return { namespace, name, uid, bornMicros: bornMs * 1000 + halfSecond, spec, isKnocks, status };
}

/** Whether somebody has deleted it, and only a finalizer keeps it: the door closes when that was asked for. */
export function isEnding(object: KubeObject): boolean {
  return (object.metadata as { readonly deletionTimestamp?: unknown }).deletionTimestamp !== undefined;
}

/** creationTimestamp has whole seconds, cut off: half a second more is wrong by half a second at most, either way. */
const halfSecond = 500_000;

/** Why a policy does not allow a grant. */
export type GrantRefusal = "source-not-allowed" | "port-not-allowed" | "never-grant";

/** What this node makes of a grant. */
export type Verdict =
  | {
      readonly kind: "opens";
      readonly policy: Policy;
      /** Those asked for that the policy opens; at least one. */
      readonly ports: readonly Port[];
      /** Asked for, and not the policy's. */
      readonly leftOut: readonly Port[];
      /** By the server's clock; Infinity: until it is deleted. */
      readonly untilMicros: number;
    }
  | { readonly kind: "refused"; readonly policy: Policy; readonly reason: GrantRefusal }
  /** For another node, or for a sequence that is not in force on this one. */
  | { readonly kind: "elsewhere" };

/** What a verdict depends on besides the grant. */
export interface Jurisdiction {
  /** This node's name; undefined where it is not known: then grants for one node are for others. */
  readonly node: string | undefined;
  /** In force, by `namespace/name`. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** Whether nothing is ever granted to the source through the policy. */
  readonly isNeverGranted: (source: Address, policy: Policy) => boolean;
}

/** What a policy allows of a grant. */
export type Allowance =
  | {
      readonly kind: "allowed";
      /** Those asked for that the policy opens; at least one. */
      readonly ports: readonly Port[];
      /** Asked for, and not the policy's. */
      readonly leftOut: readonly Port[];
      /** By the server's clock; Infinity: until it is deleted. */
      readonly untilMicros: number;
    }
  | { readonly kind: "refused"; readonly reason: Exclude<GrantRefusal, "never-grant"> };

/**
 * What a policy allows of a grant, whatever the node: what it asks beyond that is not opened, the rest is. So a grant made by a
 * knock stays open in part when its policy is narrowed, and all nodes come to the same whatever they saw first. Pure.
 */
export function allowanceOf({ spec, bornMicros }: ReadGrant, { opens, opensBy }: GrantTerms): Allowance {
  if (!opensBy.sources.some((range) => contains(range, spec.source)))
    return { kind: "refused", reason: "source-not-allowed" };
  const opened = new Set(opens?.ports.map(portKey));
  const asked = spec.ports ?? opens?.ports ?? [];
  const ports = asked.filter((port) => opened.has(portKey(port)));
  if (opens === undefined || ports.length === 0) return { kind: "refused", reason: "port-not-allowed" };
  const leftOut = asked.filter((port) => !opened.has(portKey(port)));
  const lasts = Math.min(endless(opens.forMicros), endless(spec.forMicros ?? opens.forMicros));
  return { kind: "allowed", ports, leftOut, untilMicros: bornMicros + lasts };
}

/** What a grant opens on this node, never more than its policy. Pure. */
export function judge(grant: ReadGrant, { node, policies, isNeverGranted }: Jurisdiction): Verdict {
  const { spec } = grant;
  const policy = policies.get(`${grant.namespace}/${spec.sequence}`);
  if (policy?.opens === undefined) return { kind: "elsewhere" };
  if (spec.node !== undefined && spec.node !== node) return { kind: "elsewhere" };
  const allowance = allowanceOf(grant, policy);
  const isForeign = allowance.kind === "refused" && allowance.reason === "source-not-allowed";
  if (!isForeign && isNeverGranted(spec.source, policy)) return { kind: "refused", policy, reason: "never-grant" };
  return allowance.kind === "refused" ? { ...allowance, policy } : { ...allowance, policy, kind: "opens" };
}

/** Durations where 0 stands for no end. */
function endless(micros: number): number {
  return micros === 0 ? Infinity : micros;
}

/** When a grant ends at the latest, whatever its policy allows; by the server's clock. Infinity: as far as it says, never. */
export function latestEndOf(grant: ReadGrant, policy: Pick<Policy, "opens"> | undefined): number {
  const allowed = policy?.opens === undefined ? Infinity : endless(policy.opens.forMicros);
  return grant.bornMicros + Math.min(allowed, endless(grant.spec.forMicros ?? 0));
}

/** What an agent asks the API for when a knock is to open the door on every node. */
export interface NewGrant {
  readonly name: string;
  readonly policy: Policy & { readonly uid: string };
  readonly source: Address;
  /** What is left of the policy's `for`; 0: until closed. */
  readonly forMicros: number;
  /** Of this node; undefined where it is not known. */
  readonly node: string | undefined;
}

/** The object that is created. It belongs to its policy's object, and goes with it. */
export function grantObjectOf({ name, policy, source, forMicros, node }: NewGrant): object {
  const [namespace = "", sequence = ""] = policy.name.split("/");
  const owner = { apiVersion, kind: "KnockSequence", name: sequence, uid: policy.uid };
  return {
    apiVersion,
    kind: "KnockGrant",
    metadata: {
      name,
      namespace,
      ownerReferences: [owner],
      ...(node !== undefined && { annotations: { [nodeAnnotation]: node } }),
    },
    spec: {
      sequenceRef: { name: sequence },
      source: formatAddress(source),
      ports: (policy.opens?.ports ?? []).map(formatPort),
      for: formatDuration(forMicros),
    },
  };
}
