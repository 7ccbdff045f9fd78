import type { Clock, Timer } from "../clock.ts";
import type { Address, Cidr } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import type { Port } from "../policy/port.ts";
import type { Completion } from "../sequence/outcome.ts";
import { DoorsByHand } from "./doors-by-hand.ts";
import type { Gate, Grant } from "./grant.ts";
import { GrantAnnouncer } from "./grant-announcer.ts";
import { GrantQueue } from "./grant-queue.ts";
import type { GrantReport } from "./grant-report.ts";
import type { FailedRequest } from "./grant-retries.ts";
import { deadlineOf, type EndedHold, endedHolds, grantKey, Ledger, toGrant } from "./ledger.ts";
import { isNeverGranted } from "./never-grant.ts";
import { PoliciesInForce } from "./policies-in-force.ts";
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

/**
 * Decides what is to be open: completions open and close, policies that go close, deadlines pass, and people revoke. The queue
 * brings it into the kernel; what became of it is told here, once.
 */
export class Granter {
  private readonly options: GranterOptions;
  private readonly announcer: GrantAnnouncer;
  private readonly ledger = new Ledger();
  private readonly byHand: DoorsByHand;
  private readonly policies = new PoliciesInForce();
  private readonly queue: GrantQueue;
  private expiry: Timer | undefined;

  constructor(options: GranterOptions) {
    this.options = options;
    this.announcer = new GrantAnnouncer(options.report, options.clock);
    this.byHand = new DoorsByHand(options.gate, this.ledger);
    this.queue = this.createQueue();
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
    const before = this.policies.use(policies);
    this.announcer.usePolicies(before.values(), policies);
    this.closeOrphans((id, deadline) => before.has(id) || deadline === Infinity);
    this.afterChange();
  }

  /** Opens or closes for a source that has finished a sequence. Returns at once; the outcome goes to the report. */
  complete(completion: Completion): void {
    const { policy, source, atMicros } = completion;
    const { opens } = policy;
    if (opens === undefined) return;
    if (completion.action === "close") {
      this.queue.ask({ kind: "close", policy: policy.id, source, ports: opens.ports, cause: "closedBy" });
    } else if (isNeverGranted(source, policy, this.options.neverGrants)) {
      const detail = "the source lies in a range that gets no grant";
      this.announcer.refused(policy.name, source, opens.ports, { kind: "refused", reason: "never-grant", detail });
    } else {
      const forMicros = opens.forMicros === 0 ? Infinity : opens.forMicros;
      const deadlineMicros = this.options.clock.nowMicros() + forMicros;
      this.queue.ask({ kind: "open", policy, source, ports: opens.ports, deadlineMicros, atMicros });
    }
  }

  /**
   * Closes what a source has open, also by hand, or only what one policy opened for it. Resolves to the number of ports
   * concerned, and rejects where one is still open.
   */
  async revoke(source: Address, policyName?: string): Promise<number> {
    const isChosen = (id: PolicyId) => policyName === undefined || this.nameOf(id) === policyName;
    for (const policy of this.policies.all())
      if (isChosen(policy.id))
        this.queue.withdraw({
          kind: "close",
          policy: policy.id,
          source,
          ports: policy.opens?.ports ?? [],
          cause: "socket",
        });
    const revocation = new Revocation(source, this.ledger.all(), isChosen);
    for (const request of revocation.requests()) this.queue.ask(request);
    await this.queue.settled();
    revocation.check(this.ledger);
    return revocation.size + (policyName === undefined ? await this.closeByHand(source) : 0);
  }

  /** Elements that somebody deleted from the kernel: their revocation is accepted as such. */
  acceptRevocation(missing: readonly Grant[]): void {
    for (const { source, port, policies } of missing)
      for (const policy of policies)
        this.queue.withdraw({ kind: "close", policy, source, ports: [port], cause: "kernel" });
    const keys = missing
      .map((grant) => grantKey(grant.source, grant.port))
      .filter((key) => !this.queue.isUnderWay(key));
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
    await this.queue.settled();
    return this.byHand.list();
  }

  /** The name people know a policy by; its id when it is not known. */
  nameOf(id: PolicyId): string {
    return this.announcer.nameOf(id);
  }

  /** Resolves when everything asked for so far is in the kernel, refused, or waits for another try. */
  settled(): Promise<void> {
    return this.queue.settled();
  }

  /** Ends the tries, and resolves when nothing is under way any more. */
  close(): Promise<void> {
    return this.queue.close();
  }

  private closeOrphans(isOver: (id: PolicyId, deadlineMicros: number) => boolean): void {
    for (const { source, port, deadlines } of this.ledger.all()) {
      for (const [policy, deadline] of deadlines) {
        if (this.policies.opens(policy, port) || !isOver(policy, deadline)) continue;
        this.queue.ask({ kind: "close", policy, source, ports: [port], cause: "policy-gone" });
      }
    }
  }

  private createQueue(): GrantQueue {
    const { gate, clock, maxGrants } = this.options;
    return new GrantQueue({
      gate,
      ledger: this.ledger,
      clock,
      maxGrants,
      listener: {
        opened: (request, ports, isRenewal) => this.announcer.opened(request, ports, isRenewal),
        closed: ({ cause }, ended) => {
          this.announcer.ended(ended, "revoked", cause);
          this.cut(ended);
        },
        failed: (failed) => this.tellFailed(failed),
        committed: () => this.afterChange(),
        isWanted: ({ policy }, port) => this.policies.opens(policy.id, port),
      },
    });
  }

  private async closeByHand(source: Address): Promise<number> {
    const { closed, stillOpen } = await this.byHand.close(source);
    this.announcer.ended(closed, "revoked", "socket");
    this.cut(closed);
    if (stillOpen.length > 0) throw new Error(`nftables failed and ${stillOpen.join(", ")} is still open: try again`);
    return closed.length;
  }

  private tellFailed({ request, result }: FailedRequest): void {
    const name = request.kind === "open" ? request.policy.name : this.nameOf(request.policy);
    this.announcer.refused(name, request.source, request.ports, result);
  }

  /** Ends the connections behind doors that are closed now, where the policy says so. */
  private cut(holds: readonly EndedHold[]): void {
    for (const { source, port } of this.policies.cutting(holds)) void this.options.connections.cut(source, port);
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
