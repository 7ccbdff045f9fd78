import type { Address } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import type { Port } from "../policy/port.ts";
import type { GrantChange } from "./grant.ts";
import { type LedgerEntry, toGrant } from "./ledger.ts";

/** Why a grant ends before its deadline; the audit record's detail. */
export type CloseCause = "closedBy" | "socket" | "kernel" | "policy-gone";

/** One wish to change what is open for a source, before the kernel was asked. */
export type GrantRequest = Wish & {
  /** Set once the kernel has failed to carry it out: until when it is tried again, monotonic. */
  readonly giveUpAtMicros?: number;
};

type Wish =
  | {
      readonly kind: "open";
      readonly policy: Policy;
      readonly source: Address;
      readonly ports: readonly Port[];
      /** Infinity: until closed. */
      readonly deadlineMicros: number;
      /** The last knock's time. */
      readonly atMicros: number;
    }
  | {
      readonly kind: "close";
      /** Whose hold on the ports ends. */
      readonly policy: PolicyId;
      readonly source: Address;
      readonly ports: readonly Port[];
      readonly cause: CloseCause;
    };

/** For whom a request asks. */
export function policyIdOf(request: GrantRequest): PolicyId {
  return request.kind === "open" ? request.policy.id : request.policy;
}

/** What the entry of one port is after a request; undefined: closed. Pure. */
export function applyRequest(
  entry: LedgerEntry | undefined,
  request: GrantRequest,
  port: Port,
): LedgerEntry | undefined {
  if (request.kind === "open") {
    const before = entry?.deadlines.get(request.policy.id) ?? 0;
    const deadlines = new Map(entry?.deadlines).set(request.policy.id, Math.max(before, request.deadlineMicros));
    return { source: request.source, port, deadlines };
  }
  if (entry === undefined) return undefined;
  const deadlines = new Map(entry.deadlines);
  deadlines.delete(request.policy);
  return deadlines.size === 0 ? undefined : { ...entry, deadlines };
}

/** The kernel change that leads from one entry to the other; undefined when there is nothing to do. Pure. */
export function changeBetween(
  before: LedgerEntry | undefined,
  after: LedgerEntry | undefined,
): GrantChange | undefined {
  if (after !== undefined) return { kind: "open", grant: toGrant(after) };
  return before === undefined ? undefined : { kind: "close", source: before.source, port: before.port };
}
