import { apiTime } from "./resource.ts";

/** One condition of a status, as metav1.Condition has it. */
export interface StatusCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** RFC 3339, whole seconds: when `status` last changed. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** What is to be said, before it is known since when. */
export type ConditionClaim = Omit<StatusCondition, "lastTransitionTime">;

/** The claim as a condition: since when it has had this status is kept from what stood there before. Pure. */
export function conditionFrom(
  claim: ConditionClaim,
  before: readonly StatusCondition[],
  wallMicros: number,
): StatusCondition {
  const same = before.find(({ type, status }) => type === claim.type && status === claim.status);
  return { ...claim, lastTransitionTime: same?.lastTransitionTime ?? apiTime(wallMicros) };
}

/** Whether both say the same, whenever they began to. Pure. */
export function saysSame(claim: ConditionClaim, condition: StatusCondition | undefined): boolean {
  return (
    condition !== undefined &&
    (["type", "status", "reason", "message", "observedGeneration"] as const).every(
      (field) => claim[field] === condition[field],
    )
  );
}

/** The conditions of an object as the API sent it; what cannot be one is left out. Pure. */
export function conditionsOf(object: unknown): readonly StatusCondition[] {
  const { status } = object as { readonly status?: { readonly conditions?: unknown } };
  const listed = Array.isArray(status?.conditions) ? (status.conditions as unknown[]) : [];
  return listed.filter((condition): condition is StatusCondition => {
    const { type, lastTransitionTime } = (condition ?? {}) as Partial<StatusCondition>;
    return typeof type === "string" && typeof lastTransitionTime === "string";
  });
}
