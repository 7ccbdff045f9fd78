import type { KubeObject } from "../kubernetes/resource.ts";
import { formatAddress } from "../policy/address.ts";
import { formatPort } from "../policy/port.ts";
import { type ReadGrant, readGrant } from "../replication/grant-object.ts";

/** One KnockGrant, as `knockgate grants --kube -o json` prints it. */
export interface KubeGrantRow {
  readonly source: string;
  /** `22/tcp`; null: all of its sequence. */
  readonly ports: readonly string[] | null;
  /** `namespace/name`. */
  readonly sequence: string;
  /** Null: every node that honours the sequence. */
  readonly node: string | null;
  /**
   * `unknown`: it lasts as long as its sequence allows, and nobody has written until when. `over`: its time has run out, and it
   * waits to be deleted. `refused`: its sequence does not allow it, so that it opens nothing.
   */
  readonly state: "open" | "unknown" | "over" | "refused";
  /** Null: until it is deleted, or not known. */
  readonly leftSeconds: number | null;
  /** Why it is refused, in the agents' words. */
  readonly reason: string | null;
  /** `namespace/name` of the KnockGrant. */
  readonly grant: string;
}

/** Rows by source, then by when they end. What is not well formed, or is being deleted, opens nothing and is left out. */
export function grantRowsOf(objects: readonly KubeObject[], serverMicros: number | undefined): readonly KubeGrantRow[] {
  const rows = objects.flatMap((object) => {
    const grant = readGrant(object);
    return grant === undefined ? [] : [rowOf(grant, serverMicros)];
  });
  return rows.sort(
    (one, other) =>
      one.source.localeCompare(other.source) || (other.leftSeconds ?? Infinity) - (one.leftSeconds ?? Infinity),
  );
}

function rowOf(grant: ReadGrant, serverMicros: number | undefined): KubeGrantRow {
  const { namespace, name, spec } = grant;
  const refusal = grant.status.conditions.find(({ type, status }) => type === "Accepted" && status === "False");
  const until = untilOf(grant);
  const left = until === undefined || serverMicros === undefined ? undefined : (until - serverMicros) / 1e6;
  return {
    source: formatAddress(spec.source),
    ports: spec.ports?.map(formatPort) ?? null,
    sequence: `${namespace}/${spec.sequence}`,
    node: spec.node ?? null,
    state: refusal === undefined ? stateOf(left) : "refused",
    leftSeconds: refusal !== undefined || left === undefined || left === Infinity ? null : Math.max(0, left),
    reason: refusal?.reason ?? null,
    grant: `${namespace}/${name}`,
  };
}

function stateOf(left: number | undefined): KubeGrantRow["state"] {
  if (left === undefined) return "unknown";
  return left > 0 ? "open" : "over";
}

/** By the server's clock, in microseconds: what agents have written, else what the grant says itself. */
function untilOf({ bornMicros, spec, status }: ReadGrant): number | undefined {
  const untilMs = Date.parse(status.until ?? "");
  if (!Number.isNaN(untilMs)) return untilMs * 1000;
  if (spec.forMicros === undefined) return undefined;
  return spec.forMicros === 0 ? Infinity : bornMicros + spec.forMicros;
}
