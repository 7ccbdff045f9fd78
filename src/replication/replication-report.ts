/** How the making of a KnockGrant for a knock ended, as the metric's label says it. */
export const creationResults = [
  /** It is there. */
  "created",
  /** Another node that saw the same knock had made it. */
  "joined",
  /** The API server does not take it. */
  "refused",
  /** The API was not there until the door's time was over. */
  "late",
  /** Too many waited already. */
  "dropped",
] as const;
export type CreationResult = (typeof creationResults)[number];

/** Why an agent deletes KnockGrants, as the metric's label says it. */
export const deletionCauses = [
  /** `closedBy` or `knockgate revoke` on this node. */
  "revoked",
  /** Its time is over. */
  "expired",
] as const;
export type DeletionCause = (typeof deletionCauses)[number];

/** What replication tells; observability implements it. Refused grants go to the grant stage's report, as they are audited. */
export interface ReplicationReport {
  created(result: CreationResult): void;
  deleted(cause: DeletionCause): void;
  /** How many changes wait for the API. */
  waiting(count: number): void;
  /** A sentence about what is degraded, without a source. */
  warned(message: string): void;
}
