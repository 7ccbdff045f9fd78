import type { Port } from "../policy/port.ts";
import type { ChangeResult, GrantChange, Refusal } from "./grant.ts";
import { applyRequest, changeBetween, type GrantRequest } from "./grant-request.ts";
import type { FailedRequest, RefusedChange } from "./grant-retries.ts";
import { type EndedHold, endedHolds, type GrantKey, grantKey, type LedgerEntry, withoutEnded } from "./ledger.ts";

/** A change on its way into the kernel, and what the ledger will hold when the kernel has it. */
export interface PlannedChange {
  readonly key: GrantKey;
  readonly before: LedgerEntry | undefined;
  /** Undefined: closed. */
  readonly after: LedgerEntry | undefined;
  /** Undefined where the kernel has nothing to do. */
  readonly change: GrantChange | undefined;
}

/** What one commit is to change, by open port. */
export type CommitPlan = ReadonlyMap<GrantKey, PlannedChange>;

/** How each planned change went. */
export type CommitResults = ReadonlyMap<GrantKey, ChangeResult>;

/** What a plan needs to know of the ledger. */
export interface LedgerView {
  get(key: GrantKey): LedgerEntry | undefined;
  readonly size: number;
}

const limitReached: RefusedChange = { kind: "refused", reason: "limit", detail: "--max-grants is reached" };

/** What each touched port will be after all requests, in order; a port for which there is no room is left out. Pure. */
export function planCommit(
  requests: readonly GrantRequest[],
  ledger: LedgerView,
  { maxGrants, nowMicros }: { readonly maxGrants: number; readonly nowMicros: number },
): CommitPlan {
  const plan = new Map<GrantKey, PlannedChange>();
  let room = maxGrants - ledger.size;
  for (const request of requests) {
    for (const port of request.ports) {
      const key = grantKey(request.source, port);
      const before = ledger.get(key);
      const current = plan.has(key) ? plan.get(key)?.after : before && withoutEnded(before, nowMicros);
      const isNew = request.kind === "open" && before === undefined && !plan.has(key);
      if (isNew && room-- <= 0) continue;
      const after = applyRequest(current, request, port);
      plan.set(key, { key, before, after, change: changeBetween(before, after) });
    }
  }
  return plan;
}

/** What became of a request for doors. */
export interface OpenOutcome {
  readonly opened: readonly Port[];
  /** Whether one of them was open before for the same policy. */
  readonly isRenewal: boolean;
  /** What stays closed, one for each reason. */
  readonly failed: readonly FailedRequest[];
}

/** Pure. */
export function openOutcome(
  request: GrantRequest & { readonly kind: "open" },
  plan: CommitPlan,
  results: CommitResults,
): OpenOutcome {
  const opened: Port[] = [];
  const refused = new Map<Refusal, { readonly ports: Port[]; readonly result: RefusedChange }>();
  for (const port of request.ports) {
    const result = results.get(grantKey(request.source, port)) ?? limitReached;
    if (result.kind === "done") opened.push(port);
    else if (refused.has(result.reason)) refused.get(result.reason)?.ports.push(port);
    else refused.set(result.reason, { ports: [port], result });
  }
  const isHeld = (port: Port) =>
    plan.get(grantKey(request.source, port))?.before?.deadlines.has(request.policy.id) ?? false;
  const failed = [...refused.values()].map(({ ports, result }) => ({ request: { ...request, ports }, result }));
  return { opened, isRenewal: opened.some(isHeld), failed };
}

/** What became of a request to close. */
export interface CloseOutcome {
  readonly ended: readonly EndedHold[];
  /** What is still open, a port each. */
  readonly failed: readonly FailedRequest[];
}

/** Pure. */
export function closeOutcome(
  request: GrantRequest & { readonly kind: "close" },
  plan: CommitPlan,
  results: CommitResults,
): CloseOutcome {
  const ended: EndedHold[] = [];
  const failed: FailedRequest[] = [];
  for (const port of request.ports) {
    const key = grantKey(request.source, port);
    const planned = plan.get(key);
    const result = results.get(key);
    if (planned?.before === undefined || result === undefined) continue;
    if (result.kind === "done") ended.push(...endedHolds(planned.before, planned.after));
    else failed.push({ request: { ...request, ports: [port] }, result });
  }
  return { ended, failed };
}
