import type { Clock } from "../clock.ts";
import type { Port } from "../policy/port.ts";
import {
  type CommitPlan,
  type CommitResults,
  closeOutcome,
  openOutcome,
  type PlannedChange,
  planCommit,
} from "./commit-plan.ts";
import type { ChangeResult, Gate } from "./grant.ts";
import type { GrantRequest } from "./grant-request.ts";
import { decides, type FailedRequest, GrantRetries } from "./grant-retries.ts";
import type { EndedHold, GrantKey, Ledger } from "./ledger.ts";

/** What becomes of requests. The ledger is up to date when one is told. */
export interface GrantQueueListener {
  opened(request: GrantRequest & { readonly kind: "open" }, ports: readonly Port[], isRenewal: boolean): void;
  closed(request: GrantRequest & { readonly kind: "close" }, ended: readonly EndedHold[]): void;
  /** It is not tried again. */
  failed(failed: FailedRequest): void;
  /** After each commit, and what was told of it. */
  committed(): void;
  /** Whether a port of a request that has waited for another try may still be opened. */
  isWanted(request: GrantRequest & { readonly kind: "open" }, port: Port): boolean;
}

export interface GrantQueueOptions {
  readonly gate: Gate;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly maxGrants: number;
  readonly listener: GrantQueueListener;
}

const done: ChangeResult = { kind: "done" };

/**
 * Requests on their way into the kernel. Those of one turn of the event loop go as one commit; one commit is under way at a
 * time. The ledger is changed after the kernel was, never before, so that no grant is reported that the kernel does not have.
 * What the kernel fails to do is tried again for a few seconds, and told only when that was in vain: one knock, one outcome.
 */
export class GrantQueue {
  private readonly options: GrantQueueOptions;
  private readonly retries: GrantRetries;
  private requests: GrantRequest[] = [];
  private underWay: ReadonlySet<GrantKey> = new Set();
  private flushing: Promise<void> | undefined;

  constructor(options: GrantQueueOptions) {
    this.options = options;
    this.retries = new GrantRetries(options.clock, (failed) => this.tryAgain(failed));
  }

  /** Takes a request, which decides in the place of those that wait for another try. Returns at once. */
  ask(request: GrantRequest): void {
    this.withdraw(request);
    this.requests.push(request);
    this.flushing ??= Promise.resolve().then(() => this.flush());
  }

  /** Lets go of what waits for another try and this request would decide otherwise. */
  withdraw(newer: GrantRequest): void {
    for (const failed of this.retries.withdraw(newer)) this.options.listener.failed(failed);
  }

  /** Whether a change of the port is on its way into the kernel now. */
  isUnderWay(key: GrantKey): boolean {
    return this.underWay.has(key);
  }

  /** Resolves when everything asked for so far is in the kernel, refused, or waits for another try. */
  async settled(): Promise<void> {
    while (this.flushing !== undefined) await this.flushing;
  }

  /** Ends the tries, and resolves when nothing is under way any more. */
  async close(): Promise<void> {
    await this.settled();
    for (const failed of this.retries.giveUp()) this.options.listener.failed(failed);
  }

  private async flush(): Promise<void> {
    const { ledger, clock, maxGrants } = this.options;
    while (this.requests.length > 0) {
      const requests = this.requests;
      this.requests = [];
      const plan = planCommit(requests, ledger, { maxGrants, nowMicros: clock.nowMicros() });
      this.underWay = new Set(plan.keys());
      this.settle(requests, plan, await this.commit([...plan.values()]));
      this.underWay = new Set();
    }
    this.flushing = undefined;
  }

  private async commit(plan: readonly PlannedChange[]): Promise<CommitResults> {
    const results = new Map<GrantKey, ChangeResult>(plan.map((planned) => [planned.key, done]));
    const changing = plan.flatMap(({ key, change }) => (change === undefined ? [] : [{ key, change }]));
    if (changing.length === 0) return results;
    const committed = await this.options.gate
      .commit(changing.map(({ change }) => change))
      .catch((error: unknown) => changing.map(() => kernelError(error)));
    changing.forEach(({ key }, at) => {
      results.set(key, committed[at] ?? kernelError("no answer"));
    });
    if (committed.some(({ kind }) => kind === "done")) this.retries.worked();
    return results;
  }

  private settle(requests: readonly GrantRequest[], plan: CommitPlan, results: CommitResults): void {
    const { ledger, listener } = this.options;
    for (const { key, after } of plan.values()) {
      if (results.get(key)?.kind !== "done") continue;
      if (after === undefined) ledger.delete(key);
      else ledger.put(after);
    }
    for (const request of requests) this.tell(request, plan, results);
    listener.committed();
  }

  private tell(request: GrantRequest, plan: CommitPlan, results: CommitResults): void {
    const { listener } = this.options;
    if (request.kind === "open") {
      const { opened, isRenewal, failed } = openOutcome(request, plan, results);
      if (opened.length > 0) listener.opened(request, opened, isRenewal);
      for (const one of failed) this.failed(one);
    } else {
      const { ended, failed } = closeOutcome(request, plan, results);
      for (const one of failed) this.failed(one);
      listener.closed(request, ended);
    }
  }

  /** Keeps what failed for another try, unless somebody has asked for something else meanwhile. */
  private failed({ request, result }: FailedRequest): void {
    const isOverridden = (port: Port) => this.requests.some((newer) => decides(newer, request, port));
    const kept = request.ports.filter((port) => !isOverridden(port));
    const isKept = kept.length > 0 && this.retries.keep(request, kept, result);
    const ports = isKept ? request.ports.filter(isOverridden) : request.ports;
    if (ports.length > 0) this.options.listener.failed({ request: { ...request, ports }, result });
  }

  /** A knock that waited too long, or whose policy does not open the port any more, opens nothing. */
  private tryAgain(failed: readonly FailedRequest[]): void {
    const now = this.options.clock.nowMicros();
    const { listener } = this.options;
    for (const { request, result } of failed) {
      const isWanted = (port: Port) =>
        request.kind === "close" || (request.deadlineMicros > now && listener.isWanted(request, port));
      const ports = request.ports.filter(isWanted);
      const dropped = request.ports.filter((port) => !isWanted(port));
      if (dropped.length > 0) listener.failed({ request: { ...request, ports: dropped }, result });
      if (ports.length > 0) this.ask({ ...request, ports });
    }
  }
}

function kernelError(error: unknown): ChangeResult & { kind: "refused" } {
  return { kind: "refused", reason: "kernel-error", detail: error instanceof Error ? error.message : String(error) };
}
