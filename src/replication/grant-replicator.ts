/**
 * Doors that open on every node. The Kubernetes API is the replication: the node that saw the knock creates a KnockGrant, every
 * node watches them, and what a node has open for them follows what there is, from the first complete list on. Nothing goes
 * from node to node, and an agent that was away, or is new, is right as soon as it has listed.
 */
import type { Clock, Timer } from "../clock.ts";
import type { GrantReport } from "../grant/grant-report.ts";
import type { ClusterWish } from "../grant/grant-request.ts";
import { clusterHold, type HoldId } from "../grant/hold.ts";
import type { LedgerEntry } from "../grant/ledger.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import type { ApiError } from "../kubernetes/api-error.ts";
import { RequestQueue } from "../kubernetes/request-queue.ts";
import { ServerTime } from "../kubernetes/server-time.ts";
import type { Watches } from "../kubernetes/watches.ts";
import { type Address, sameAddress } from "../policy/address.ts";
import type { KnownTerms } from "../policy/grant-terms.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import { type Port, portKey } from "../policy/port.ts";
import type { Completion } from "../sequence/outcome.ts";
import { AwaitedGrants } from "./awaited-grants.ts";
import { ExpiredGrants } from "./expired-grants.ts";
import { type GrantAddress, grantKind } from "./grant-address.ts";
import { GrantCopies } from "./grant-copies.ts";
import { GrantDeletions } from "./grant-deletions.ts";
import { judge, type ReadGrant } from "./grant-object.ts";
import { GrantRefusals } from "./grant-refusals.ts";
import { GrantStatus } from "./grant-status.ts";
import { type LiveGrant, planReplication } from "./replication.ts";
import type { ReplicationReport } from "./replication-report.ts";
import { RestoredKnocks } from "./restored-knocks.ts";

/** What opens and closes doors here; the granter does. */
export interface DoorKeeper {
  hold(wish: ClusterWish): void;
  release(hold: HoldId, source: Address, ports: readonly Port[]): void;
  entries(): Iterable<LedgerEntry>;
  settled(): Promise<void>;
}

export interface GrantReplicatorOptions {
  readonly client: Pick<ApiClient, "list" | "get" | "create" | "patch" | "delete">;
  readonly watches: Pick<Watches, "ofNamespace">;
  /** Whose grants count; undefined: all namespaces'. */
  readonly namespaces: readonly string[] | undefined;
  /** This node's name; undefined where it is not known. */
  readonly node: string | undefined;
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly doors: DoorKeeper;
  /** Whether nothing is ever granted to the source through the policy. */
  readonly isNeverGranted: (source: Address, policy: Policy) => boolean;
  /** Whether this agent holds the Lease, and so deletes grants whose time is over. */
  readonly isLeader: () => boolean;
  /** What is known of a KnockSequence of the API, by `namespace/name`, also where it is for other nodes. */
  readonly termsOf: (name: string) => KnownTerms;
  readonly report: ReplicationReport;
  /** Takes refused grants, as they are audited. */
  readonly grants: Pick<GrantReport, "grant">;
}

/** Changes that wait for the API at most: a knock or a deletion each. */
const mostWaiting = 4096;
/** After a plan there is none for so many times as long as it took: with thousands of grants planning takes a fifth of the time at most. */
const restShare = 4;
/** A grant that the kernel has not taken in this time is asked for again: the granter has given up. */
const askAgainMs = 30_000;

/** See the head of the file. */
export class GrantReplicator {
  private readonly options: GrantReplicatorOptions;
  private readonly queue: RequestQueue;
  private readonly time: ServerTime;
  private readonly copies: GrantCopies;
  private readonly awaited: AwaitedGrants;
  private readonly deletions: GrantDeletions;
  private readonly expired: ExpiredGrants;
  private readonly refusals: GrantRefusals;
  private readonly status: GrantStatus;
  private policies: ReadonlyMap<string, Policy> | undefined;
  /** Undefined before the first policies. */
  private restored: RestoredKnocks | undefined;
  /** When the granter was asked for a grant, by uid; Infinity: it has been open here. */
  private asked = new Map<string, number>();
  private again: Timer | undefined;
  /** Until when changes are gathered for the next plan, and what ends that. */
  private restsUntilMicros = 0;
  private rested: Timer | undefined;
  private isClosed = false;
  /** What was warned of last. */
  private warnedOf: string | undefined;

  constructor(options: GrantReplicatorOptions) {
    this.options = options;
    const { client, clock, random, report, namespaces, node } = options;
    const waiting = (count: number) => report.waiting(count);
    const failed = (error: ApiError) => this.requestFailed(error);
    this.queue = new RequestQueue({ clock, random, most: mostWaiting, changed: waiting, failed });
    // No grant has this name, which ends in a hash: the answer is empty, and has a `Date`.
    const selection = { kind: grantKind, namespace: namespaces?.[0], fieldSelector: "metadata.name=time" };
    this.time = new ServerTime({ client, selection, clock, random, improved: () => this.replan() });
    this.copies = new GrantCopies({
      watches: options.watches,
      namespaces,
      changed: () => this.changed(),
      current: () => this.queue.hurry(),
      warned: (message) => report.warned(message),
    });
    const isThere = (grant: GrantAddress) => this.copies.has(grant);
    this.deletions = new GrantDeletions({ client, queue: this.queue, isThere, report });
    this.awaited = new AwaitedGrants({
      client,
      queue: this.queue,
      clock,
      node,
      report,
      changed: () => this.changed(),
      gone: (policy, source) => options.doors.release(policy.id, source, policy.opens?.ports ?? []),
      unwanted: (grant) => this.later(this.deletions.revoke([grant])),
    });
    this.refusals = new GrantRefusals(options.grants);
    this.status = new GrantStatus({
      client,
      clock,
      isLeader: options.isLeader,
      termsOf: (name) => this.termsOf(name),
      failed: (error) => this.requestFailed(error),
    });
    this.expired = this.createExpired();
  }

  /** Begins to watch. Doors follow the grants once policies are in force, and the ledger is what the kernel has. */
  start(): void {
    this.copies.start();
    this.time.start();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.again?.cancel();
    this.rested?.cancel();
    this.expired.close();
    this.awaited.close();
    await Promise.all([this.copies.close(), this.time.close(), this.queue.close(), this.status.close()]);
  }

  /** Takes the policies now in force; the granter has them, and what the kernel had from before. */
  usePolicies(policies: readonly Policy[]): void {
    this.restored ??= new RestoredKnocks(this.options.doors.entries());
    this.policies = new Map(policies.map((policy) => [policy.name, policy]));
    this.replan();
  }

  /** A source has finished a sequence, which the granter knows already. */
  completed({ policy, action, source, packet }: Completion): void {
    if (action === "close") {
      this.later(this.revokeIn((id) => id === policy.id, source));
      return;
    }
    const { opens, uid } = policy;
    if (opens?.scope !== "Cluster" || uid === undefined || this.options.isNeverGranted(source, policy)) return;
    const forMicros = opens.forMicros === 0 ? Infinity : opens.forMicros;
    const deadlineMicros = this.options.clock.nowMicros() + forMicros;
    this.awaited.add({ policy: { ...policy, uid }, source, packet, deadlineMicros });
  }

  /**
   * Deletes the grants of a source, or of one policy for it, so that every node closes; here the granter has closed already.
   * Rejects with a sentence where some could not be deleted yet: it is tried again.
   */
  async revoke(source: Address, policyName: string | undefined): Promise<void> {
    const policies = [...(this.policies?.values() ?? [])];
    const chosen = new Set(
      policies.filter(({ name }) => policyName === undefined || name === policyName).map(({ id }) => id),
    );
    await this.revokeIn((id) => chosen.has(id), source);
  }

  /** What every grant means on this node. */
  private verdicts(): ReadonlyMap<ReadGrant, ReturnType<typeof judge>> {
    const { node, isNeverGranted } = this.options;
    const policies = this.policies ?? new Map<string, Policy>();
    return new Map([...this.copies.grants].map((grant) => [grant, judge(grant, { node, policies, isNeverGranted })]));
  }

  private async revokeIn(isChosen: (id: PolicyId) => boolean, source: Address): Promise<void> {
    this.awaited.cancel((id, other) => isChosen(id) && sameAddress(other, source));
    const chosen = [...this.copies.grants].filter((grant) => {
      const policy = this.policies?.get(`${grant.namespace}/${grant.spec.sequence}`);
      return policy !== undefined && isChosen(policy.id) && sameAddress(grant.spec.source, source);
    });
    await this.deletions.revoke(chosen);
  }

  /** Nobody waits for it: what could not be done at once is told, and tried again. */
  private later(done: Promise<void>): void {
    done.catch((error: Error) => this.options.report.warned(`A door that was closed is ${error.message}`));
  }

  /** An API that is down is told of by the watches; a role that is missing only here. The same again is not news. */
  private requestFailed(error: ApiError): void {
    if (error.code !== "forbidden" || error.message === this.warnedOf) return;
    this.warnedOf = error.message;
    this.options.report.warned(`A KnockGrant cannot be written: ${error.message}; it is tried again.`);
  }

  private changed(): void {
    this.awaited.saw((grant) => this.copies.has(grant));
    this.deletions.prune();
    this.replan();
  }

  /** Plans at once, unless a plan has just been made: a plan looks at every grant. */
  private replan(): void {
    const { clock } = this.options;
    if (this.rested !== undefined || this.isClosed) return;
    const began = clock.nowMicros();
    if (began < this.restsUntilMicros) {
      this.rested = clock.after((this.restsUntilMicros - began) / 1000, () => {
        this.rested = undefined;
        this.replan();
      });
      return;
    }
    this.plan(began);
    const ended = clock.nowMicros();
    this.restsUntilMicros = ended + (ended - began) * restShare;
  }

  private plan(nowMicros: number): void {
    const { doors } = this.options;
    const { policies } = this;
    const serverMicros = this.time.now();
    if (policies === undefined || serverMicros === undefined) return;
    const grants = this.liveGrants(serverMicros - nowMicros);
    this.forgetGone(grants);
    const listed = [...policies.values()].filter(({ name }) => this.copies.isListed(name.slice(0, name.indexOf("/"))));
    const known = new Map(listed.map((policy) => [policy.id, policy]));
    const serverOffsetMicros = serverMicros - nowMicros;
    const untold = this.restored?.take({ policies: known, grants, entries: doors.entries(), serverOffsetMicros });
    for (const knock of untold ?? []) this.awaited.add(knock);
    const plan = planReplication({
      grants,
      entries: doors.entries(),
      policies: known,
      isOpened: ({ uid }) => nowMicros < this.askAgainAt(uid),
      isAwaited: (policy, source) => this.awaited.isAwaited(policy, source),
      nowMicros,
    });
    for (const { hold, source, ports } of plan.releases) doors.release(hold, source, ports);
    for (const wish of plan.holds) doors.hold(wish);
    void this.noteOpened(grants.filter(({ deadlineMicros }) => deadlineMicros > nowMicros));
    this.expired.changed();
  }

  /** Grants that this node's policies allow, on its clock. */
  private liveGrants(offsetMicros: number): readonly LiveGrant[] {
    const verdicts = this.verdicts();
    this.refusals.tell(verdicts);
    const live: LiveGrant[] = [];
    for (const [{ uid, namespace, name, spec }, verdict] of verdicts) {
      if (verdict.kind !== "opens" || this.deletions.isRevoked(uid)) continue;
      const { policy, ports, untilMicros } = verdict;
      const deadlineMicros = untilMicros - offsetMicros;
      live.push({ uid, label: `KnockGrant ${namespace}/${name}`, policy, source: spec.source, ports, deadlineMicros });
    }
    return live;
  }

  private forgetGone(grants: readonly LiveGrant[]): void {
    const there = new Set(grants.map(({ uid }) => uid));
    for (const uid of this.asked.keys()) if (!there.has(uid)) this.asked.delete(uid);
  }

  /** What the kernel has taken was opened; what it has not is asked for again later. */
  private async noteOpened(grants: readonly LiveGrant[]): Promise<void> {
    const now = this.options.clock.nowMicros();
    const unsure = grants.filter(({ uid }) => this.asked.get(uid) !== Infinity);
    for (const { uid } of unsure) if (now >= this.askAgainAt(uid)) this.asked.set(uid, now);
    if (unsure.length === 0) return;
    await this.options.doors.settled();
    const open = new Set<string>();
    for (const { source, port, deadlines } of this.options.doors.entries())
      for (const hold of deadlines.keys()) open.add(`${hold} ${source.join(".")} ${portKey(port)}`);
    const opened = unsure.filter(({ uid, policy, source, ports }) => {
      const isOpen = (port: Port) => open.has(`${clusterHold(policy.id)} ${source.join(".")} ${portKey(port)}`);
      return this.asked.has(uid) && ports.every(isOpen);
    });
    for (const { uid } of opened) this.asked.set(uid, Infinity);
    if (this.isClosed) return;
    if (opened.length < unsure.length) this.planAgain();
    if (opened.length > 0) this.replan(); // what a knock opened in the same moment is the grant's now
  }

  private askAgainAt(uid: string): number {
    return (this.asked.get(uid) ?? -Infinity) + askAgainMs * 1000;
  }

  private planAgain(): void {
    this.again ??= this.options.clock.after(askAgainMs, () => {
      this.again = undefined;
      this.replan();
    });
  }

  /** A policy that is in force here may be one of a file. */
  private termsOf(name: string): KnownTerms {
    return this.policies?.get(name) ?? this.options.termsOf(name);
  }

  private createExpired(): ExpiredGrants {
    const termsOf = (name: string) => this.termsOf(name);
    return new ExpiredGrants({
      clock: this.options.clock,
      isLeader: this.options.isLeader,
      serverMicros: () => this.time.now(),
      grants: () => this.copies.grants,
      termsOf,
      remove: (grant) => this.deletions.expire(grant),
      looked: () => this.status.take(this.copies.grants),
    });
  }
}
