import type { PolicyId } from "../policy/policy.ts";

/**
 * Whose hold on a door: a policy's id where a knock on this node opened it, and the id with a `k` behind it where KnockGrants of the
 * Kubernetes API hold it open. The two are told apart because they end in different ways: when a KnockGrant is deleted only
 * what KnockGrants held may close, also on an agent that was away meanwhile. So the difference must outlive the agent, and it
 * does in the comment of the set's element, beside the id: there it comes and goes in the transaction that opens and closes the
 * door. A file in --state-dir would have to be synced before each grant, and would be wrong after a crash or on a full disk. The
 * price is a character of the comment's 128 for each such policy.
 */
export type HoldId = string;

/** No hexadecimal digit, and allowed in a comment. */
const mark = "k";

/** The hold of all KnockGrants of a policy together. */
export function clusterHold(policy: PolicyId): HoldId {
  return `${policy}${mark}`;
}

/** Whether KnockGrants hold. */
export function isClusterHold(hold: HoldId): boolean {
  return hold.endsWith(mark);
}

/** The policy through which the door is held. */
export function policyOfHold(hold: HoldId): PolicyId {
  return isClusterHold(hold) ? hold.slice(0, -mark.length) : hold;
}

/** What an id looks like in an element's comment; anything else there was not written by an agent. */
export const holdPattern = /^[0-9a-f]{8}k?$/;
