import type { Clock, Timer } from "../clock.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";
import type { KubeObject, ObjectAddress, ResourceKind } from "./resource.ts";

const leases: ResourceKind = { group: "coordination.k8s.io", version: "v1", plural: "leases" };

/** Without a sign of its holder for this long, by the clock of whoever waits, a Lease is anybody's. */
const durationMs = 10_000;
/** How often the holder gives a sign. */
const renewMs = 3000;
/** A holder that could not give a sign for this long lets go, before anybody else may take it. */
const holdMs = 8000;
/** How often whoever waits looks; a little more at random, so that they do not look all at once. */
const lookMs = 5000;

/** What the Lease works with. */
export interface LeaseOptions {
  readonly client: Pick<ApiClient, "get" | "create" | "patch">;
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly namespace: string;
  readonly name: string;
  /** Who this is; no other may have the same. */
  readonly holder: string;
  /** Told when it is taken and when it is lost. */
  readonly changed: (held: boolean) => void;
  /** A request failed; it is tried again. */
  readonly failed: (error: ApiError) => void;
}

interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseTransitions?: number | null;
}

/**
 * One of all agents: a Lease of the Kubernetes API (coordination.k8s.io/v1), taken as client-go's leader election takes it. Times
 * in the object are for people; whoever waits counts from when it saw the object change by its own clock, so clocks
 * that differ do no harm. When a holder dies another has it after 16 s at the latest: 5 to 6 s until the last sign was seen,
 * and 10 s without one. An agent that waits reads one small object every five seconds and writes nothing.
 */
export class Lease {
  private readonly options: LeaseOptions;
  private readonly address: ObjectAddress;
  private readonly ending = new AbortController();
  private running: Promise<void> | undefined;
  /** The version that was last seen, and when it was first. */
  private seen: { readonly version: string; readonly atMicros: number } | undefined;
  private heldUntilMicros = Number.NEGATIVE_INFINITY;
  private told = false;
  private wake: () => void = () => {};
  private lapse: Timer | undefined;

  constructor(options: LeaseOptions) {
    this.options = options;
    this.address = { kind: leases, namespace: options.namespace, name: options.name };
  }

  /** Whether this agent is the one, as far as anybody can know. */
  get held(): boolean {
    return this.options.clock.nowMicros() < this.heldUntilMicros;
  }

  /** Begins; idempotent. */
  start(): void {
    this.running ??= this.run();
  }

  /** Lets go, so that another need not wait. Resolves when no request is under way; idempotent. */
  async close(): Promise<void> {
    const { held } = this;
    this.ending.abort();
    this.wake();
    await this.running;
    if (held) await this.release();
    this.lose();
  }

  private async run(): Promise<void> {
    while (!this.ending.signal.aborted) {
      await this.round().catch((error: unknown) => this.roundFailed(error));
      await this.pause(this.waitMs());
    }
  }

  /** Looks at the Lease, and takes or renews it where it is ours to take. */
  private async round(): Promise<void> {
    const { client, clock } = this.options;
    const began = clock.nowMicros();
    const lease = await this.read();
    if (lease === undefined) {
      const { namespace, name } = this.options;
      const object = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name } };
      const { kind } = this.address;
      await client.create({ kind, namespace }, { ...object, spec: this.claim(undefined) }, this.ending.signal);
      return this.hold(began);
    }
    const spec = specOf(lease);
    if (!this.isFree(lease, spec)) return this.lose();
    const { resourceVersion } = lease.metadata; // whoever writes in between makes it a conflict
    const body = { metadata: { resourceVersion }, spec: this.claim(spec) };
    await client.patch(this.address, { kind: "merge", body }, this.ending.signal);
    this.hold(began);
  }

  private async read(): Promise<KubeObject | undefined> {
    try {
      return (await this.options.client.get(this.address, this.ending.signal)).body;
    } catch (error) {
      if (error instanceof ApiError && error.code === "missing") return undefined;
      throw error;
    }
  }

  private isFree(lease: KubeObject, { holderIdentity }: LeaseSpec): boolean {
    const now = this.options.clock.nowMicros();
    const version = lease.metadata.resourceVersion ?? "";
    if (this.seen?.version !== version) this.seen = { version, atMicros: now };
    if (holderIdentity === this.options.holder || (holderIdentity ?? "") === "") return true;
    return now - this.seen.atMicros >= durationMs * 1000;
  }

  private claim(before: LeaseSpec | undefined): object {
    const { holder, clock } = this.options;
    const now = new Date(clock.wallMicros() / 1000).toISOString().replace("Z", "000Z"); // MicroTime
    const renewed = { holderIdentity: holder, leaseDurationSeconds: durationMs / 1000, renewTime: now };
    if (before?.holderIdentity === holder) return renewed;
    const leaseTransitions = before === undefined ? 0 : (before.leaseTransitions ?? 0) + 1;
    return { ...renewed, acquireTime: now, leaseTransitions };
  }

  private hold(sinceMicros: number): void {
    const { clock } = this.options;
    this.heldUntilMicros = sinceMicros + holdMs * 1000;
    this.lapse?.cancel();
    this.lapse = clock.after(Math.ceil((this.heldUntilMicros - clock.nowMicros()) / 1000), () => this.lose());
    this.tell(true);
  }

  private lose(): void {
    this.heldUntilMicros = Number.NEGATIVE_INFINITY;
    this.lapse?.cancel();
    this.tell(false);
  }

  private tell(held: boolean): void {
    if (held === this.told) return;
    this.told = held;
    this.options.changed(held);
  }

  /** Somebody else was quicker: no failure. Any other error leaves what is held until it lapses. */
  private roundFailed(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "conflict") this.lose();
    else if (error.code !== "stopped") this.options.failed(error);
  }

  private waitMs(): number {
    if (this.held) return renewMs;
    const jittered = lookMs * (1 + this.options.random() / 5);
    if (this.seen === undefined) return jittered;
    const leftMs = durationMs - (this.options.clock.nowMicros() - this.seen.atMicros) / 1000;
    return leftMs > 0 ? Math.min(jittered, leftMs) : jittered;
  }

  private pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.ending.signal.aborted) return resolve();
      const timer = this.options.clock.after(waitMs, resolve);
      this.wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  private async release(): Promise<void> {
    const body = { spec: { holderIdentity: "" } };
    await this.options.client
      .patch(this.address, { kind: "merge", body }, AbortSignal.timeout(releaseMs))
      .catch((error: unknown) => this.roundFailed(error)); // then it lapses by itself
  }
}

/** An agent that ends does not wait longer for an API that does not answer. */
const releaseMs = 1000;

function specOf(lease: KubeObject): LeaseSpec {
  return (lease as KubeObject & { readonly spec?: LeaseSpec }).spec ?? {};
}
