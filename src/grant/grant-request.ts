import type { Address } from "../policy/address.ts";
import type { Policy } from "../policy/policy.ts";
import type { Port } from "../policy/port.ts";
import type { GrantChange } from "./grant.ts";
import { clusterHold, type HoldId } from "./hold.ts";
import { type LedgerEntry, toGrant } from "./ledger.ts";

/** Why a grant ends before its deadline; the audit record's detail. */
export type CloseCause = "closedBy" | "socket" | "kernel" | "policy-gone" | "grant-deleted";

/** One wish to change what is open for a source, before the kernel was asked. */
export type GrantRequest = Wish & {
  /** Set once the kernel has failed to carry it out: until when it is tried again, monotonic. */
  readonly giveUpAtMicros?: number;
};

type Wish =
  | {
      /** A knock opens, or renews: the later deadline holds. */
      readonly kind: "open";
      readonly policy: Policy;
      readonly source: Address;
      readonly ports: readonly Port[];
      /** Infinity: until closed. */
      readonly deadlineMicros: number;
      /** The last knock's time. */
      readonly atMicros: number;
    }
  | ({ readonly kind: "hold" } & ClusterWish)
  | {
      readonly kind: "close";
      /** Which hold on the ports ends. */
      readonly hold: HoldId;
      readonly source: Address;
      readonly ports: readonly Port[];
      readonly cause: CloseCause;
    };

/** What KnockGrants hold open together for one policy and source. */
export interface ClusterWish {
  readonly policy: Policy;
  readonly source: Address;
  readonly ports: readonly Port[];
  /** Exactly until then, also where it was longer; Infinity: until closed. */
  readonly deadlineMicros: number;
  /** `KnockGrant namespace/name` of one that holds longest, for the audit record. */
  readonly grant: string;
  /** Whether this takes the place of what the knock of this node has opened. */
  readonly replacesKnock: boolean;
}

/** A wish that opens. */
export type OpeningRequest = GrantRequest & { readonly kind: "open" | "hold" };

/** The hold that a request makes, changes or ends. */
export function holdOf(request: GrantRequest): HoldId {
  switch (request.kind) {
    case "open":
      return request.policy.id;
    case "hold":
      return clusterHold(request.policy.id);
    case "close":
      return request.hold;
    default:
      return request satisfies never;
  }
}

/** Whether a request decides about a hold: the newest that does counts. */
export function decidesAbout(request: GrantRequest, hold: HoldId): boolean {
  const isReplaced = request.kind === "hold" && request.replacesKnock && hold === request.policy.id;
  return isReplaced || hold === holdOf(request);
}

/** What the entry of one port is after a request; undefined: closed. Pure. */
export function applyRequest(
  entry: LedgerEntry | undefined,
  request: GrantRequest,
  port: Port,
): LedgerEntry | undefined {
  const deadlines = new Map(entry?.deadlines);
  const hold = holdOf(request);
  if (request.kind === "close") deadlines.delete(hold);
  else if (request.kind === "hold") deadlines.set(hold, request.deadlineMicros);
  else deadlines.set(hold, Math.max(deadlines.get(hold) ?? 0, request.deadlineMicros));
  if (request.kind === "hold" && request.replacesKnock) deadlines.delete(request.policy.id);
  return deadlines.size === 0 ? undefined : { source: request.source, port, deadlines };
}

/** The kernel change that leads from one entry to the other; undefined when there is nothing to do. Pure. */
export function changeBetween(
  before: LedgerEntry | undefined,
  after: LedgerEntry | undefined,
): GrantChange | undefined {
  if (after !== undefined) return { kind: "open", grant: toGrant(after) };
  return before === undefined ? undefined : { kind: "close", source: before.source, port: before.port };
}
