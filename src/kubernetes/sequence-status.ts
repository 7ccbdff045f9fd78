import type { Clock } from "../clock.ts";
import type { ObjectVerdict } from "../policy/object-verdict.ts";
import type { ApiClient } from "./api-client.ts";
import { type ConditionClaim, conditionFrom, conditionsOf, saysSame } from "./condition.ts";
import { type KubeObject, knockKinds } from "./resource.ts";
import { WriteQueue, type WriteQueueOptions } from "./write-queue.ts";

const sequences = knockKinds.knocksequences;
/** Whose fields of the status these are (server-side apply); the same for all agents, of whom one writes at a time. */
const manager = "knockgate";
/** Twenty objects a second at the most: 2,000 policies after an upgrade that words it differently take 100 s. */
const pauseMs = 50;

/** What the writer works with. */
export interface SequenceStatusOptions {
  readonly client: Pick<ApiClient, "patch">;
  readonly clock: Clock;
  /** Whether this agent is the one who writes. */
  readonly leads: () => boolean;
  /** What validation says of an object by itself. */
  readonly verdictOf: (object: KubeObject) => ObjectVerdict;
  /** It has been said, once for each change. */
  readonly said: (object: KubeObject, verdict: ObjectVerdict) => void;
  readonly failed: WriteQueueOptions["failed"];
}

/**
 * Says in the status of each KnockSequence whether it is accepted. One agent does, the holder of the Lease, and only where the
 * status says something else: writes grow with the changes of policies, not with nodes.
 */
export class SequenceStatus {
  private readonly options: SequenceStatusOptions;
  private readonly queue: WriteQueue;
  private objects: ReadonlyMap<string, KubeObject> = new Map();

  constructor(options: SequenceStatusOptions) {
    this.options = options;
    this.queue = new WriteQueue({ clock: options.clock, pauseMs, failed: options.failed });
  }

  /** All KnockSequences there are, whenever one has changed. */
  take(objects: readonly KubeObject[]): void {
    const before = this.objects;
    this.objects = new Map(objects.map((object) => [keyOf(object), object]));
    for (const [key, object] of this.objects) if (before.get(key) !== object) this.look(key);
  }

  /** This agent is the one who writes from now on: others may have left something unsaid. */
  lead(): void {
    for (const key of this.objects.keys()) this.look(key);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.queue.close();
  }

  private look(key: string): void {
    if (this.options.leads() && this.unsaid(key) !== undefined)
      this.queue.ask(key, (signal) => this.write(key, signal));
  }

  /** What the status should say and does not; undefined where all is said. */
  private unsaid(key: string) {
    const object = this.objects.get(key);
    if (object === undefined) return undefined;
    const claim = claimOf(object, this.options.verdictOf(object));
    const before = conditionsOf(object);
    const said = before.find(({ type }) => type === claim.type);
    return saysSame(claim, said) ? undefined : { object, claim, before };
  }

  /** As the object is when its turn has come. */
  private async write(key: string, signal: AbortSignal): Promise<void> {
    const unsaid = this.options.leads() ? this.unsaid(key) : undefined;
    if (unsaid === undefined) return;
    const { object, claim, before } = unsaid;
    const { namespace, name, uid } = object.metadata;
    const condition = conditionFrom(claim, before, this.options.clock.wallMicros());
    const { observedGeneration } = claim;
    const body = {
      apiVersion: "knockgate.io/v1alpha1",
      kind: "KnockSequence",
      metadata: { namespace, name, uid }, // with the uid an object made anew meanwhile is a conflict, not written to
      status: { ...(observedGeneration === undefined ? {} : { observedGeneration }), conditions: [condition] },
    };
    const address = { kind: sequences, namespace, name, subresource: "status" } as const;
    await this.options.client.patch(address, { kind: "apply", body, manager, force: true }, signal);
    this.options.said(object, { accepted: claim.status === "True", reason: claim.reason, message: claim.message });
  }
}

function claimOf({ metadata }: KubeObject, { accepted, reason, message }: ObjectVerdict): ConditionClaim {
  const { generation } = metadata;
  const claim = { type: "Accepted", status: accepted ? "True" : "False", reason, message } as const;
  return generation === undefined ? claim : { ...claim, observedGeneration: generation };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
