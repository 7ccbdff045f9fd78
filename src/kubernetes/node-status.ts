import type { Clock, Timer } from "../clock.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";
import { type ConditionClaim, conditionFrom, conditionsOf, type StatusCondition } from "./condition.ts";
import { knockKinds } from "./resource.ts";

const knockNodes = knockKinds.knocknodes;
const manager = "knockgate-node";
/** How often it is looked whether there is something to write, and so how often is written at the most. */
const lookMs = 10_000;
/** After failures in a row it is looked less often, up to this. */
const mostLookMs = 300_000;
/** An agent that ends does not wait longer for an API that does not answer. */
const farewellMs = 1000;

/** What an agent says of itself, as the KnockNode's `status` has it, before it is known since when. */
export interface NodeClaim {
  readonly conditions: readonly ConditionClaim[];
  /** The other fields. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What the writer works with. */
export interface NodeStatusOptions {
  readonly client: Pick<ApiClient, "patch">;
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly node: string;
  /** The uid of the Node object, with which the KnockNode goes; undefined where it is not known. */
  readonly nodeUid: () => string | undefined;
  /** Undefined where there is nothing to say yet. */
  readonly claim: () => Promise<NodeClaim | undefined>;
  readonly failed: (error: ApiError) => void;
}

/**
 * Keeps the KnockNode of this agent's node: made by the first write, owned by the Node object so that it goes with it, and
 * written only when it would say something else, at most once in ten seconds. Nobody else writes it.
 */
export class NodeStatus {
  private readonly options: NodeStatusOptions;
  private readonly ending = new AbortController();
  private timer: Timer | undefined;
  private looking: Promise<void> | undefined;
  /** What stands there; undefined before it was read. */
  private conditions: readonly StatusCondition[] | undefined;
  private written: string | undefined;
  private waitMs = lookMs;

  constructor(options: NodeStatusOptions) {
    this.options = options;
  }

  /** Begins: the first write within ten seconds, at random, so that agents that start together do not write together. */
  start(): void {
    this.lookIn(lookMs * this.options.random());
  }

  /** Says that the agent has ended, where the API answers. Idempotent. */
  async close(): Promise<void> {
    if (this.ending.signal.aborted) return;
    this.timer?.cancel();
    this.ending.abort();
    await this.looking;
    if (this.written === undefined) return;
    const ready = { type: "Ready", status: "False", reason: "Ended", message: "The agent has ended." } as const;
    const claim = await this.options.claim();
    const others = claim?.conditions.filter(({ type }) => type !== "Ready") ?? [];
    const last = { conditions: [ready, ...others], fields: claim?.fields ?? {} };
    await this.write(last, AbortSignal.timeout(farewellMs)).catch((error) => this.lookFailed(error));
  }

  private lookIn(delayMs: number): void {
    if (this.ending.signal.aborted) return;
    this.timer = this.options.clock.after(delayMs, () => {
      this.looking = this.look().finally(() => {
        this.looking = undefined;
        this.lookIn(this.waitMs);
      });
    });
  }

  private async look(): Promise<void> {
    try {
      const claim = await this.options.claim();
      if (claim === undefined) return;
      const text = JSON.stringify([claim, this.options.nodeUid()]);
      if (text === this.written) return;
      await this.write(claim, this.ending.signal);
      this.written = text;
      this.waitMs = lookMs;
    } catch (error) {
      this.lookFailed(error);
    }
  }

  private lookFailed(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "stopped") return;
    this.waitMs = Math.min(mostLookMs, Math.max(this.waitMs * 2, error.retryAfterMs ?? 0));
    this.options.failed(error);
  }

  /**
   * First the object, which the apply makes where it is missing, then its status. The answer to the first shows what an agent
   * before this one has left there.
   */
  private async write({ conditions, fields }: NodeClaim, signal: AbortSignal): Promise<void> {
    const { client, clock, node } = this.options;
    const object = { apiVersion: "knockgate.io/v1alpha1", kind: "KnockNode" };
    const patch = (body: object) => ({ kind: "apply", body, manager, force: true }) as const;
    const metadata = { name: node, ...this.owner() };
    const { body } = await client.patch(this.address(), patch({ ...object, metadata }), signal);
    const before = this.conditions ?? conditionsOf(body);
    const dated = conditions.map((claim) => conditionFrom(claim, before, clock.wallMicros()));
    const status = { ...fields, conditions: dated };
    const statusAddress = { ...this.address(), subresource: "status" } as const;
    await client.patch(statusAddress, patch({ ...object, metadata: { name: node }, status }), signal);
    this.conditions = dated;
  }

  private owner(): object {
    const uid = this.options.nodeUid();
    const { node } = this.options;
    return uid === undefined ? {} : { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: node, uid }] };
  }

  private address() {
    return { kind: knockNodes, name: this.options.node };
  }
}
