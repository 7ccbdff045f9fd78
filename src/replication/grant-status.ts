import type { Clock } from "../clock.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { type ConditionClaim, conditionFrom, saysSame } from "../kubernetes/condition.ts";
import { apiTime } from "../kubernetes/resource.ts";
import { WriteQueue, type WriteQueueOptions } from "../kubernetes/write-queue.ts";
import type { KnownTerms } from "../policy/grant-terms.ts";
import { reasonOf } from "../policy/object-verdict.ts";
import { formatPort } from "../policy/port.ts";
import { grantAddress } from "./grant-address.ts";
import { allowanceOf, type ReadGrant } from "./grant-object.ts";
import { refusalSentences } from "./grant-refusals.ts";

/** Whose fields of the status these are (server-side apply); the same for all agents, of whom one writes at a time. */
const manager = "knockgate";
/** Twenty objects a second at the most. */
const pauseMs = 50;
/** As long a message as the CRD takes. */
const mostCharacters = 1024;

/** What the writer works with. */
export interface GrantStatusOptions {
  readonly client: Pick<ApiClient, "patch">;
  readonly clock: Clock;
  /** Whether this agent is the one who writes. */
  readonly isLeader: () => boolean;
  /** What the policy that a grant names allows, by `namespace/name`. */
  readonly termsOf: (name: string) => KnownTerms;
  readonly failed: WriteQueueOptions["failed"];
}

interface Claim {
  readonly condition: ConditionClaim;
  readonly until: string | undefined;
}

/**
 * Says in the status of KnockGrants that people made whether the policy allows them and until when, and of those that knocks
 * made only when the policy does not allow them any more. What an agent creates for a knock is within its policy and says for
 * how long: with a status each knock would cost every node's watch one event more. Which nodes have opened the door is in no
 * status: that would be a write for each grant on each node; `kubectl get kn` shows how many doors a node has open.
 */
export class GrantStatus {
  private readonly options: GrantStatusOptions;
  private readonly queue: WriteQueue;
  private grants: ReadonlyMap<string, ReadGrant> = new Map();

  constructor(options: GrantStatusOptions) {
    this.options = options;
    this.queue = new WriteQueue({ clock: options.clock, pauseMs, failed: options.failed });
  }

  /** Every grant there is. */
  take(grants: Iterable<ReadGrant>): void {
    this.grants = new Map([...grants].map((grant) => [grant.uid, grant]));
    for (const [uid, grant] of this.grants)
      if (this.unsaid(grant) !== undefined) this.queue.ask(uid, (signal) => this.write(uid, signal));
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.queue.close();
  }

  /** What the status should say and does not; undefined where all is said. */
  private unsaid(grant: ReadGrant): Claim | undefined {
    const claim = claimOf(grant, this.options.termsOf(`${grant.namespace}/${grant.spec.sequence}`));
    if (claim === undefined) return undefined;
    const { conditions, until } = grant.status;
    if (grant.isKnocks && claim.condition.status === "True" && conditions.length === 0) return undefined;
    const said = conditions.find(({ type }) => type === claim.condition.type);
    return saysSame(claim.condition, said) && claim.until === until ? undefined : claim;
  }

  /** As the grant is when its turn has come. */
  private async write(uid: string, signal: AbortSignal): Promise<void> {
    const grant = this.grants.get(uid);
    const claim = grant === undefined || !this.options.isLeader() ? undefined : this.unsaid(grant);
    if (grant === undefined || claim === undefined) return;
    const { namespace, name } = grant;
    const condition = conditionFrom(claim.condition, grant.status.conditions, this.options.clock.wallMicros());
    const body = {
      apiVersion: "knockgate.io/v1alpha1",
      kind: "KnockGrant",
      metadata: { namespace, name, uid }, // with the uid an object made anew meanwhile is a conflict, not written to
      status: { conditions: [condition], ...(claim.until !== undefined && { until: claim.until }) },
    };
    const address = { ...grantAddress(namespace, name), subresource: "status" } as const;
    await this.options.client.patch(address, { kind: "apply", body, manager, force: true }, signal);
  }
}

/** Undefined where nobody knows enough to say something. */
function claimOf(grant: ReadGrant, terms: KnownTerms): Claim | undefined {
  if (terms === "unknown" || terms === "unreadable") return undefined;
  const claim = (status: ConditionClaim["status"], reason: string, message: string, until?: number): Claim => ({
    condition: { type: "Accepted", status, reason, message: message.slice(0, mostCharacters) },
    until: until === undefined || until === Infinity ? undefined : apiTime(until),
  });
  if (terms === "missing")
    return claim("Unknown", "SequenceMissing", `There is no KnockSequence ${grant.spec.sequence} in this namespace.`);
  const allowance = allowanceOf(grant, terms);
  if (allowance.kind === "refused") {
    const sentence = refusalSentences[allowance.reason];
    return claim("False", reasonOf(allowance.reason), `It opens nothing: ${sentence}.`);
  }
  const { leftOut, untilMicros } = allowance;
  if (leftOut.length === 0) return claim("True", "Accepted", "The policy allows it.", untilMicros);
  const ports = leftOut.map(formatPort).join(", ");
  return claim("True", "AcceptedInPart", `The policy does not open ${ports}; the rest is open.`, untilMicros);
}
