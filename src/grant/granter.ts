import type { Clock, Timer } from "../clock.ts";
import type { Address, Cidr } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import { type Port, type PortKey, portKey } from "../policy/port.ts";
import type { Completion } from "../sequence/outcome.ts";
import { DoorsByHand } from "./doors-by-hand.ts";
import type { ChangeResult, Gate, Grant, Refusal } from "./grant.ts";
import { GrantAnnouncer } from "./grant-announcer.ts";
import { type Plan, type Planned, planRequests, type Results } from "./grant-plan.ts";
import type { GrantReport } from "./grant-report.ts";
import type { CloseCause, ClusterWish, GrantRequest, OpeningRequest } from "./grant-request.ts";
import { decides, type FailedRequest, GrantRetries, type RefusedChange } from "./grant-retries.ts";
import { clusterHold, type HoldId, policyOfHold } from "./hold.ts";
import {
  deadlineOf,
  type EndedHold,
  endedHolds,
  type GrantKey,
  grantKey,
  heldUntil,
  Ledger,
  type LedgerEntry,
  toGrant,
} from "./ledger.ts";
import { isNeverGranted } from "./never-grant.ts";
import { Revocation } from "./revocation.ts";

/** Ends the connections that a grant let in; src/nftables implements it with `ss -K`. */
export interface ConnectionEnder {
  /** Destroys local TCP sockets of this peer and port. Never rejects: what failed is told by the implementation. */
  cut(source: Address, port: Port): Promise<void>;
}

export interface GranterOptions {
  readonly gate: Gate;
  readonly connections: ConnectionEnder;
  readonly clock: Clock;
  readonly report: GrantReport;
  /** Ranges that get no grant (`--never-grant`). */
  readonly neverGrants: readonly Cidr[];
  /** Open ports at once, over all sources (`--max-grants`). */
  readonly maxGrants: number;
}

/** By how much a deadline must change before people are told: whole seconds of the API are rounded. */
const noticedMicros = 2e6;

const done: ChangeResult = { kind: "done" };
const neverGranted: RefusedChange = {
  kind: "refused",
  reason: "never-grant",
  detail: "the source lies in a range that gets no grant",
};
const limitReached: ChangeResult = { kind: "refused", reason: "limit", detail: "--max-grants is reached" };

/**
 * Turns completions into grants. Everything asked for within one turn of the event loop goes to the kernel as one commit;
 * one commit is under way at a time. The ledger is changed after the kernel was, never before, so that no grant is reported
 * that the kernel does not have. What the kernel fails to do is tried again for a few seconds, and told only when that was in
 * vain: one knock, one outcome.
 */
export class Granter {
  private readonly options: GranterOptions;
  private readonly announcer: GrantAnnouncer;
  private readonly ledger = new Ledger();
  private policies = new Map<PolicyId, Policy>();
  /** Ports of policies with `established: Cut`, of the last two configurations: a policy that goes still cuts. */
  private cuttingPorts: ReadonlySet<PortKey> = new Set();
  private requests: GrantRequest[] = [];
  private underWay: ReadonlySet<GrantKey> = new Set();
  private flushing: Promise<void> | undefined;
  private expiry: Timer | undefined;
  private readonly retries: GrantRetries;
  private readonly byHand: DoorsByHand;

  constructor(options: GranterOptions) {
    this.options = options;
    this.retries = new GrantRetries(options.clock, (failed) => this.tryAgain(failed));
    this.announcer = new GrantAnnouncer(options.report, options.clock);
    this.byHand = new DoorsByHand(options.gate, this.ledger);
  }

  /**
   * Takes what the kernel has open as the truth, once at start, after the policies are known. An element without a policy
   * was put there by hand and is left alone; one of an unknown policy simply expires, and is closed if it never would.
   */
  async restore(): Promise<void> {
    for (const grant of await this.options.gate.listGrants()) {
      const deadline = grant.deadlineMicros ?? Infinity;
      if (grant.policies.length === 0) continue;
      const deadlines = new Map(grant.policies.map((policy) => [policy, deadline]));
      this.ledger.put({ source: grant.source, port: grant.port, deadlines });
    }
    this.closeOrphans((_, deadline) => deadline === Infinity);
    this.afterChange();
  }

  /**
   * Takes the policies now in force. Grants of a policy that is gone, or no longer opens the port, are closed: a door that
   * nobody configures any more must not stay open.
   */
  usePolicies(policies: readonly Policy[]): void {
    const before = this.policies;
    this.policies = new Map(policies.map((policy) => [policy.id, policy]));
    this.announcer.usePolicies(before.values(), policies);
    const cutting = [...before.values(), ...policies].filter(({ opens }) => opens?.established === "Cut");
    this.cuttingPorts = new Set(cutting.flatMap(({ opens }) => opens?.ports.map(portKey) ?? []));
    this.closeOrphans((id, deadline) => before.has(id) || deadline === Infinity);
    this.afterChange();
  }

  /** Opens or closes for a source that has finished a sequence. Returns at once; the outcome goes to the report. */
  complete(completion: Omit<Completion, "packet">): void {
    const { policy, source, atMicros } = completion;
    const { opens } = policy;
    if (opens === undefined) return;
    if (completion.action === "close") {
      for (const hold of [policy.id, clusterHold(policy.id)])
        this.ask({ kind: "close", hold, source, ports: opens.ports, cause: "closedBy" });
    } else if (isNeverGranted(source, policy, this.options.neverGrants)) {
      this.announcer.refused(policy.name, source, opens.ports, neverGranted);
    } else {
      const forMicros = opens.forMicros === 0 ? Infinity : opens.forMicros;
      const deadlineMicros = this.options.clock.nowMicros() + forMicros;
      this.ask({ kind: "open", policy, source, ports: opens.ports, deadlineMicros, atMicros });
    }
  }

  /** Holds doors open exactly as KnockGrants say, as far as this node may. Returns at once; the outcome goes to the report. */
  hold(wish: ClusterWish): void {
    if (isNeverGranted(wish.source, wish.policy, this.options.neverGrants))
      this.announcer.refused(wish.policy.name, wish.source, wish.ports, neverGranted);
    else this.ask({ kind: "hold", ...wish });
  }

  /** Ends one hold of a policy on ports of a source; other holds keep them open. */
  release(hold: HoldId, source: Address, ports: readonly Port[]): void {
    this.ask({ kind: "close", hold, source, ports, cause: "grant-deleted" });
  }

  /** Every open port with its holds, as the kernel has it. */
  entries(): Iterable<LedgerEntry> {
    return this.ledger.all();
  }

  /**
   * Closes what a source has open, also by hand, or only what one policy opened for it. Resolves to the number of ports
   * concerned, and rejects where one is still open.
   */
  async revoke(source: Address, policyName?: string): Promise<number> {
    const isChosen = (id: HoldId) => policyName === undefined || this.nameOf(id) === policyName;
    for (const { id, opens } of this.policies.values())
      if (isChosen(id))
        for (const hold of [id, clusterHold(id)])
          this.withdraw({ kind: "close", hold, source, ports: opens?.ports ?? [], cause: "socket" });
    const revocation = new Revocation(source, this.ledger.all(), isChosen);
    for (const request of revocation.requests()) this.ask(request);
    await this.settled();
    revocation.check(this.ledger);
    return revocation.size + (policyName === undefined ? await this.closeByHand(source) : 0);
  }

  /** Elements that somebody deleted from the kernel: their revocation is accepted as such. */
  acceptRevocation(missing: readonly Grant[]): void {
    for (const { source, port, policies } of missing)
      for (const hold of policies) this.withdraw({ kind: "close", hold, source, ports: [port], cause: "kernel" });
    const keys = missing.map((grant) => grantKey(grant.source, grant.port)).filter((key) => !this.underWay.has(key));
    const entries = keys.map((key) => this.ledger.delete(key)).filter((entry) => entry !== undefined);
    const holds = entries.flatMap((entry) => endedHolds(entry, undefined));
    this.announcer.ended(holds, "revoked", "kernel");
    this.cut(holds);
    this.afterChange();
  }

  /** What should be open now: for putting a lost table back together, and for people. */
  liveGrants(): Grant[] {
    const now = this.options.clock.nowMicros();
    return [...this.ledger.all()].filter((entry) => deadlineOf(entry) > now).map(toGrant);
  }

  /** What is open besides, by hand. Rejects when the kernel cannot be asked. */
  async grantsByHand(): Promise<readonly Grant[]> {
    await this.settled();
    return this.byHand.list();
  }

  /** The name people know a policy by; its id when it is not known. */
  nameOf(hold: HoldId): string {
    return this.announcer.nameOf(hold);
  }

  /** Resolves when everything asked for so far is in the kernel, refused, or waits for another try. */
  async settled(): Promise<void> {
    while (this.flushing !== undefined) await this.flushing;
  }

  /** Ends the tries, and resolves when nothing is under way any more. */
  async close(): Promise<void> {
    await this.settled();
    for (const failed of this.retries.giveUp()) this.tellFailed(failed);
  }

  private closeOrphans(isOver: (id: PolicyId, deadlineMicros: number) => boolean): void {
    for (const { source, port, deadlines } of this.ledger.all()) {
      for (const [hold, deadline] of deadlines) {
        const policy = policyOfHold(hold);
        if (this.opens(policy, port) || !isOver(policy, deadline)) continue;
        this.ask({ kind: "close", hold, source, ports: [port], cause: "policy-gone" });
      }
    }
  }

  private async closeByHand(source: Address): Promise<number> {
    const { closed, stillOpen } = await this.byHand.close(source);
    this.announcer.ended(closed, "revoked", "socket");
    this.cut(closed);
    if (stillOpen.length > 0) throw new Error(`nftables failed and ${stillOpen.join(", ")} is still open: try again`);
    return closed.length;
  }

  private withdraw(newer: GrantRequest): void {
    for (const failed of this.retries.withdraw(newer)) this.tellFailed(failed);
  }

  private opens(policy: PolicyId, port: Port): boolean {
    return this.policies.get(policy)?.opens?.ports.some((open) => portKey(open) === portKey(port)) ?? false;
  }

  private ask(request: GrantRequest): void {
    this.withdraw(request);
    // Of what KnockGrants want within one turn only the last is carried out, and told.
    if (request.kind === "hold")
      this.requests = this.requests.filter(
        (older) => older.kind !== "hold" || !older.ports.every((port) => decides(request, older, port)),
      );
    this.requests.push(request);
    this.flushing ??= Promise.resolve().then(() => this.flush());
  }

  /** A knock that waited too long, or whose policy does not open the port any more, opens nothing. */
  private tryAgain(failed: readonly FailedRequest[]): void {
    const now = this.options.clock.nowMicros();
    for (const { request, result } of failed) {
      const isWanted = (port: Port) =>
        request.kind === "close" || (request.deadlineMicros > now && this.opens(request.policy.id, port));
      const ports = request.ports.filter(isWanted);
      const dropped = request.ports.filter((port) => !isWanted(port));
      if (dropped.length > 0) this.tellFailed({ request: { ...request, ports: dropped }, result });
      if (ports.length > 0) this.ask({ ...request, ports });
    }
  }

  private async flush(): Promise<void> {
    while (this.requests.length > 0) {
      const requests = this.requests;
      this.requests = [];
      const room = this.options.maxGrants - this.ledger.size;
      const plan = planRequests(requests, this.ledger, room, this.options.clock.nowMicros());
      this.underWay = new Set(plan.keys());
      this.settle(requests, plan, await this.commit([...plan.values()]));
      this.underWay = new Set();
    }
    this.flushing = undefined;
  }

  private async commit(plan: readonly Planned[]): Promise<Results> {
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

  private settle(requests: readonly GrantRequest[], plan: Plan, results: Results): void {
    for (const { key, after } of plan.values()) {
      if (results.get(key)?.kind !== "done") continue;
      if (after === undefined) this.ledger.delete(key);
      else this.ledger.put(after);
    }
    const ended = new Map<CloseCause, EndedHold[]>();
    for (const request of requests) {
      if (request.kind !== "close") this.tellOpened(request, plan, results);
      else ended.set(request.cause, [...(ended.get(request.cause) ?? []), ...this.closed(request, plan, results)]);
    }
    for (const [cause, holds] of ended) {
      this.announcer.ended(holds, "revoked", cause);
      this.cut(holds);
    }
    this.afterChange();
  }

  private tellOpened(request: OpeningRequest, plan: Plan, results: Results): void {
    const { policy, source } = request;
    const opened: Port[] = [];
    const refused = new Map<Refusal, { ports: Port[]; result: RefusedChange }>();
    for (const port of request.ports) {
      const result = results.get(grantKey(source, port)) ?? limitReached;
      if (result.kind === "done") opened.push(port);
      else if (refused.has(result.reason)) refused.get(result.reason)?.ports.push(port);
      else refused.set(result.reason, { ports: [port], result });
    }
    const beforeOf = (port: Port) => heldUntil(plan.get(grantKey(source, port))?.before, policy.id);
    if (request.kind === "hold") this.tellHeld(request, opened, beforeOf);
    else if (opened.length > 0)
      this.announcer.opened(
        request,
        opened,
        opened.some((port) => beforeOf(port) > 0),
      );
    for (const { ports, result } of refused.values()) this.failed({ request: { ...request, ports }, result });
  }

  /** A KnockGrant that follows the knock of this node changes nothing that anybody has to be told. */
  private tellHeld(request: ClusterWish, ports: readonly Port[], beforeOf: (port: Port) => number): void {
    const changes = { added: [] as Port[], renewed: [] as Port[], shortened: [] as Port[] };
    for (const port of ports) {
      const before = beforeOf(port);
      const longerMicros = request.deadlineMicros === before ? 0 : request.deadlineMicros - before;
      if (before === 0) changes.added.push(port);
      else if (longerMicros > noticedMicros) changes.renewed.push(port);
      else if (longerMicros < -noticedMicros) changes.shortened.push(port);
    }
    for (const kind of ["added", "renewed", "shortened"] as const)
      if (changes[kind].length > 0) this.announcer.held(request, kind, changes[kind]);
  }

  /** The holds that a request has ended. */
  private closed(request: GrantRequest & { kind: "close" }, plan: Plan, results: Results): readonly EndedHold[] {
    const holds: EndedHold[] = [];
    for (const port of request.ports) {
      const planned = plan.get(grantKey(request.source, port));
      const result = results.get(grantKey(request.source, port));
      if (planned?.before === undefined) continue;
      const ended = () => endedHolds(planned.before as LedgerEntry, planned.after);
      if (result?.kind === "done") holds.push(...ended().filter(({ hold }) => hold === request.hold));
      else if (result !== undefined) this.failed({ request: { ...request, ports: [port] }, result });
    }
    return holds;
  }

  /** Keeps what failed for another try, unless somebody has asked for something else meanwhile. */
  private failed({ request, result }: FailedRequest): void {
    const isOverridden = (port: Port) => this.requests.some((newer) => decides(newer, request, port));
    const kept = request.ports.filter((port) => !isOverridden(port));
    const isKept = kept.length > 0 && this.retries.keep(request, kept, result);
    const ports = isKept ? request.ports.filter(isOverridden) : request.ports;
    if (ports.length > 0) this.tellFailed({ request: { ...request, ports }, result });
  }

  private tellFailed({ request, result }: FailedRequest): void {
    const name = request.kind === "close" ? this.nameOf(request.hold) : request.policy.name;
    this.announcer.refused(name, request.source, request.ports, result);
  }

  /** Ends the connections behind doors that are closed now, where the policy says so. */
  private cut(holds: readonly EndedHold[]): void {
    for (const { source, port, closed } of holds) {
      if (closed && this.cuttingPorts.has(portKey(port))) void this.options.connections.cut(source, port);
    }
  }

  /** Tells the counts and sets the one timer for the next deadline. */
  private afterChange(): void {
    this.announcer.counts(this.ledger.countsByPolicy());
    this.expiry?.cancel();
    const next = this.ledger.nextDeadlineMicros();
    if (next === undefined) return;
    const delayMs = Math.ceil((next - this.options.clock.nowMicros()) / 1000);
    this.expiry = this.options.clock.after(delayMs, () => this.expire());
  }

  private expire(): void {
    const holds = this.ledger.takeExpired(this.options.clock.nowMicros());
    this.announcer.ended(holds, "expired");
    this.cut(holds);
    this.afterChange();
  }
}

function kernelError(error: unknown): ChangeResult & { kind: "refused" } {
  return { kind: "refused", reason: "kernel-error", detail: error instanceof Error ? error.message : String(error) };
}
