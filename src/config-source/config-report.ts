import type { Problem } from "../policy/problem.ts";

/** What the configuration tells; observability implements it. */
export interface ConfigReport {
  /** A snapshot was taken into force; problems name the policies that were rejected, and warnings. */
  accepted(accepted: number, rejected: number, problems: readonly Problem[]): void;
  /** A snapshot was not believed; the last good one stays. One sentence says why. */
  refused(reason: string): void;
  /** At the start a snapshot was not believed, and what was kept of it from before the restart is in force in its place. */
  restored(accepted: number, reason: string): void;
  /** One sentence for the log: something beside the policies is not as it should be. */
  warned(message: string): void;
}
