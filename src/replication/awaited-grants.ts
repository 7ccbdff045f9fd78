/**
 * Knocks of this node that are to become KnockGrants. The door is open here already, by a hold of the knock's own; that lasts
 * until the watch shows the grant, which then takes its place. A knock is awaited from the moment when it is complete until
 * its grant was seen, or is known to be gone, or would be of no use any more:
 *
 *     knock ──► waits for the API ──► created, or joined ──► seen by the watch: the grant holds the door
 *                   │                      │
 *                   │ time is over         │ deleted before it was seen: the knock's hold is released as well
 *                   ▼                      ▼
 *               forgotten              forgotten
 *
 * Bounded in number. What an agent that ends has not told the API the next one finds in the kernel (restored-knocks.ts).
 */
import type { Clock, Timer } from "../clock.ts";
import type { Answer, ApiClient } from "../kubernetes/api-client.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import type { RequestQueue } from "../kubernetes/request-queue.ts";
import type { KubeObject, ObjectAddress } from "../kubernetes/resource.ts";
import type { Address } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import { type GrantAddress, grantAddress } from "./grant-address.ts";
import { grantNameOf } from "./grant-name.ts";
import { grantObjectOf, latestEndOf, readGrant } from "./grant-object.ts";
import { doorKey } from "./replication.ts";
import type { ReplicationReport } from "./replication-report.ts";

/** A knock that has opened a door here and is to open it everywhere. */
export interface ReplicatedKnock {
  readonly policy: Policy & { readonly uid: string };
  readonly source: Address;
  /** Of the last packet. */
  readonly packet: string;
  /** Monotonic microseconds; Infinity: until closed. */
  readonly deadlineMicros: number;
}

export interface AwaitedGrantsOptions {
  readonly client: Pick<ApiClient, "create" | "get">;
  readonly queue: RequestQueue;
  readonly clock: Clock;
  readonly node: string | undefined;
  readonly report: ReplicationReport;
  /** Something was created, or is awaited no longer: what the grants hold may be planned anew. */
  readonly changed: () => void;
  /** The grant was deleted before the watch showed it, and nothing else is awaited for the door. */
  readonly gone: (policy: Policy, source: Address) => void;
  /** It was created, but meanwhile somebody has closed the door. */
  readonly unwanted: (address: GrantAddress) => void;
}

interface Awaited extends Omit<ReplicatedKnock, "deadlineMicros"> {
  readonly door: string;
  deadlineMicros: number;
  name: string;
  /** Once it is created. */
  uid: string | undefined;
  isCancelled: boolean;
  /** Whether a grant that was made late has been given up for this one. */
  isReplaced: boolean;
  /** Until the API is asked for a grant that the watch does not show. */
  timer?: Timer;
}

/** A grant whose end is this much earlier than the knock's is of an earlier knock. */
const otherKnockMicros = 5e6;
/** A grant that holds longer than this beyond the knock was made late. */
const tooLongMicros = 1.5e6;
/** The shortest `for` that the API takes; for less nothing is created. */
const leastMicros = 100_000;
/** How long the watch may be late with a new grant before the API is asked for it. */
const seenWithinMs = 5000;

/** See the head of the file. */
export class AwaitedGrants {
  private readonly options: AwaitedGrantsOptions;
  private readonly awaited = new Set<Awaited>();
  private isClosed = false;

  constructor(options: AwaitedGrantsOptions) {
    this.options = options;
  }

  isAwaited(policy: PolicyId, source: Address): boolean {
    const door = doorKey(policy, source);
    for (const one of this.awaited) if (one.door === door) return true;
    return false;
  }

  add(knock: ReplicatedKnock): void {
    const { policy, source, packet } = knock;
    const name = grantNameOf(policy, source, packet);
    const awaited = {
      ...knock,
      name,
      door: doorKey(policy.id, source),
      uid: undefined,
      isCancelled: false,
      isReplaced: false,
    };
    for (const one of this.awaited) {
      if (one.name !== name || one.uid !== undefined) continue;
      one.deadlineMicros = Math.max(one.deadlineMicros, knock.deadlineMicros); // the very same packet, and not told yet
      return;
    }
    const isTaken = this.options.queue.add({
      send: (signal) => this.create(awaited, signal),
      isOver: () => awaited.isCancelled || this.leftMicros(awaited) < leastMicros,
      gaveUp: (error) => this.gaveUp(awaited, error),
    });
    if (isTaken) this.awaited.add(awaited);
    else this.options.report.created("dropped");
  }

  /** Takes what the watch shows: grants that it shows are awaited no longer. */
  saw(hasGrant: (address: GrantAddress) => boolean): void {
    for (const one of this.awaited) {
      const { uid } = one;
      if (uid !== undefined && hasGrant({ ...addressOf(one), uid })) this.drop(one);
    }
  }

  /** Somebody closes the doors of a source; what was not created yet will not be. */
  cancel(isChosen: (policy: PolicyId, source: Address) => boolean): void {
    for (const one of this.awaited) {
      if (!isChosen(one.policy.id, one.source)) continue;
      one.isCancelled = true;
      this.drop(one);
      if (one.uid !== undefined) this.options.unwanted({ ...addressOf(one), uid: one.uid });
    }
  }

  close(): void {
    this.isClosed = true;
    for (const one of this.awaited) this.drop(one);
  }

  private leftMicros({ deadlineMicros }: Awaited): number {
    return deadlineMicros - this.options.clock.nowMicros();
  }

  private async create(awaited: Awaited, signal: AbortSignal): Promise<void> {
    const { client, report } = this.options;
    const { name, policy, source } = awaited;
    const object = grantObjectOf({ name, policy, source, forMicros: this.forMicros(awaited), node: this.options.node });
    try {
      const { kind, namespace } = addressOf(awaited);
      const answer = await client.create({ kind, namespace }, object, signal);
      report.created("created");
      await this.created(awaited, answer, signal);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "conflict")) throw error;
      await this.join(awaited, signal);
    }
  }

  /** What is left, as time runs from the creation. What a knock takes on its way is no reason to write an odd number. */
  private forMicros(awaited: Awaited): number {
    const left = this.leftMicros(awaited);
    const whole = awaited.policy.opens?.forMicros ?? 0;
    if (left === Infinity) return 0;
    return whole - left < leastMicros && whole !== 0 ? whole : Math.ceil(left / 1000) * 1000;
  }

  /** There is one of this name: of the same knock, seen by another node, or of an earlier one with the very same packet. */
  private async join(awaited: Awaited, signal: AbortSignal): Promise<void> {
    const answer = await this.options.client.get(addressOf(awaited), signal);
    const { policy, source, packet, name } = awaited;
    if (this.longerMicros(awaited, answer) < -otherKnockMicros && name === grantNameOf(policy, source, packet)) {
      const endMicros = (answer.serverMicros ?? 0) + this.leftMicros(awaited);
      awaited.name = grantNameOf(policy, source, packet, `ends ${Math.round(endMicros / 10e6)}`);
      return this.create(awaited, signal);
    }
    this.options.report.created("joined");
    await this.created(awaited, answer, signal);
  }

  /** By how much the grant holds the door longer than the knock does; the whole seconds of the API make it a second unsure. */
  private longerMicros(awaited: Awaited, { body, serverMicros }: Answer<KubeObject>): number {
    const grant = readGrant(body);
    const own = this.leftMicros(awaited);
    if (grant === undefined || serverMicros === undefined) return grant === undefined ? -Infinity : 0;
    const left = latestEndOf(grant, awaited.policy) - (serverMicros + 500_000);
    return left === own ? 0 : left - own;
  }

  private async created(awaited: Awaited, answer: Answer<KubeObject>, signal: AbortSignal): Promise<void> {
    const { uid = "" } = answer.body.metadata;
    const { policy, source, packet } = awaited;
    if (this.isClosed) return;
    if (!awaited.isCancelled && !awaited.isReplaced && this.longerMicros(awaited, answer) > tooLongMicros) {
      // The server was slow, and time runs from when it has made the object: another takes its place before it goes. Once: a
      // server that is slow again is overloaded, and every node that asked it over and over would keep it so.
      awaited.isReplaced = true;
      const tooLong = { ...addressOf(awaited), uid };
      awaited.name = grantNameOf(policy, source, packet, `instead of ${uid}`);
      await this.create(awaited, signal);
      this.options.unwanted(tooLong);
      return;
    }
    awaited.uid = uid;
    if (awaited.isCancelled) this.options.unwanted({ ...addressOf(awaited), uid });
    else this.expectSeen(awaited, signal);
    this.options.changed();
  }

  private expectSeen(awaited: Awaited, signal: AbortSignal): void {
    awaited.timer = this.options.clock.after(seenWithinMs, () => void this.lookFor(awaited, signal));
  }

  /** The watch has not shown it: it may be late, or the grant was deleted at once. */
  private async lookFor(awaited: Awaited, signal: AbortSignal): Promise<void> {
    const isThere = await this.options.client.get(addressOf(awaited), signal).then(
      ({ body }) => body.metadata.uid === awaited.uid,
      (error: unknown) => !(error instanceof ApiError && error.code === "missing"),
    );
    if (this.isClosed || !this.awaited.has(awaited)) return;
    if (this.leftMicros(awaited) <= 0) this.forget(awaited);
    else if (isThere) this.expectSeen(awaited, signal);
    else {
      this.forget(awaited);
      const { policy, source } = awaited;
      if (!this.isAwaited(policy.id, source)) this.options.gone(policy, source);
    }
  }

  private gaveUp(awaited: Awaited, error: ApiError | undefined): void {
    this.forget(awaited);
    if (awaited.isCancelled) return;
    this.options.report.created(error === undefined ? "late" : "refused");
    if (error === undefined) return;
    const where = awaited.policy.name;
    this.options.report.warned(
      `A door of ${where} is only open on this node: its KnockGrant is refused: ${error.message}`,
    );
  }

  private drop(awaited: Awaited): void {
    awaited.timer?.cancel();
    this.awaited.delete(awaited);
  }

  private forget(awaited: Awaited): void {
    this.drop(awaited);
    this.options.changed();
  }
}

function addressOf({ policy, name }: Awaited): ObjectAddress & { readonly namespace: string } {
  return grantAddress(policy.name.slice(0, policy.name.indexOf("/")), name);
}
