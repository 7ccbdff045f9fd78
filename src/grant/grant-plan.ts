import type { ChangeResult, GrantChange } from "./grant.ts";
import { applyRequest, changeBetween, type GrantRequest } from "./grant-request.ts";
import { type GrantKey, grantKey, type Ledger, type LedgerEntry, withoutEnded } from "./ledger.ts";

/** A change on its way into the kernel, and what the ledger will hold when the kernel has it. */
export interface Planned {
  readonly key: GrantKey;
  readonly before: LedgerEntry | undefined;
  readonly after: LedgerEntry | undefined;
  /** Undefined: the kernel has nothing to do. */
  readonly change: GrantChange | undefined;
}

export type Plan = ReadonlyMap<GrantKey, Planned>;

/** How the changes of a plan went. */
export type Results = ReadonlyMap<GrantKey, ChangeResult>;

/**
 * What each touched port will be after all requests, in order; a port for which there is no room (`room` more may be open than
 * the ledger has) is left out. Pure.
 */
export function planRequests(
  requests: readonly GrantRequest[],
  ledger: Pick<Ledger, "get">,
  room: number,
  nowMicros: number,
): Plan {
  const plan = new Map<GrantKey, Planned>();
  let left = room;
  for (const request of requests) {
    for (const port of request.ports) {
      const key = grantKey(request.source, port);
      const before = ledger.get(key);
      const current = plan.has(key) ? plan.get(key)?.after : before && withoutEnded(before, nowMicros);
      const isNew = request.kind !== "close" && before === undefined && !plan.has(key);
      if (isNew && left-- <= 0) continue;
      const after = applyRequest(current, request, port);
      plan.set(key, { key, before, after, change: changeBetween(before, after) });
    }
  }
  return plan;
}
