import type { Problem } from "../policy/problem.ts";

/** What the configuration tells; observability implements it. */
export interface ConfigReport {
  /** A snapshot was taken into force; problems name the policies that were rejected, and warnings. */
  accepted(accepted: number, rejected: number, problems: readonly Problem[]): void;
  /** A snapshot was not believed; the last good one stays. One sentence says why. */
  refused(reason: string): void;
}
