/** The stages that have to work before the agent is ready. */
export const stages = ["config", "nftables", "grants", "capture"] as const;
export type Stage = (typeof stages)[number];

/** Whether a stage works; `reason` is one sentence for a person, and absent when it does. */
export interface StageHealth {
  readonly ok: boolean;
  readonly reason: string | undefined;
}

/** What readiness says: ready, or every reason why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly stages: Readonly<Record<Stage, StageHealth>>;
  /** `capture: no interface is tapped`, one a failing stage. */
  readonly failures: readonly string[];
}

/** The health of all stages. None is well before it said so. */
export class Health {
  private readonly reasons = new Map<Stage, string | undefined>(stages.map((stage) => [stage, "not started yet"]));
  private stopping = false;

  /** Says that a stage works (undefined) or why it does not. Tells whether that is a change. */
  set(stage: Stage, reason: string | undefined): boolean {
    const changed = this.reasons.get(stage) !== reason;
    this.reasons.set(stage, reason);
    return changed;
  }

  /** Not ready from now on: the agent ends. */
  stop(): void {
    this.stopping = true;
  }

  isOk(stage: Stage): boolean {
    return this.reasons.get(stage) === undefined;
  }

  readiness(): Readiness {
    const named = stages.map((stage) => [stage, this.reasons.get(stage)] as const);
    const failures = named.flatMap(([stage, reason]) => (reason === undefined ? [] : [`${stage}: ${reason}`]));
    if (this.stopping) failures.unshift("agent: shutting down");
    return {
      ready: failures.length === 0,
      stages: Object.fromEntries(
        named.map(([stage, reason]) => [stage, { ok: reason === undefined, reason }]),
      ) as Record<Stage, StageHealth>,
      failures,
    };
  }
}
