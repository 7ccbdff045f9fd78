import type { Address } from "../policy/address.ts";
import type { Port } from "../policy/port.ts";
import type { Refusal } from "./grant.ts";

/** What happened to a source's grant; one audit record each, and a line of `knockgate watch`. */
export const grantEventKinds = ["added", "renewed", "shortened", "revoked", "expired", "refused", "failed"] as const;
export type GrantEventKind = (typeof grantEventKinds)[number];

/** One event for one source and one policy, whatever the number of ports. */
export interface GrantEvent {
  readonly kind: GrantEventKind;
  readonly source: Address;
  /** `namespace/name`, or the policy's id where the name is not known any more, or `by hand`. */
  readonly policy: string;
  readonly ports: readonly Port[];
  /** Wall-clock microseconds until when the door is open; undefined: until closed, or not open. */
  readonly untilWallMicros?: number | undefined;
  readonly reason?: Refusal | undefined;
  /**
   * Why: `knock`, `KnockGrant namespace/name`, `closedBy`, `socket`, `kernel` (an element somebody deleted), `policy-gone`,
   * `grant-deleted` (the KnockGrant was); or a refusal's detail.
   */
  readonly detail?: string | undefined;
  /** From the last knock's time stamp to the kernel's commit; only for added and renewed by a knock. */
  readonly latencySeconds?: number | undefined;
}

/** What the grant stage tells; observability implements it. */
export interface GrantReport {
  grant(event: GrantEvent): void;
  /** Live grants by policy name, after every change. */
  active(policy: string, count: number): void;
}
