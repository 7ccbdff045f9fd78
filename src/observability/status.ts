import type { Stage, StageHealth } from "./health.ts";
import type { BuildInfo } from "./metrics.ts";
import type { BootTableStatus, CaptureStatus, ConfigStatus } from "./reports.ts";

/** The part of the status that only the agent knows. */
export interface StatusOfAgent {
  readonly mode: "enforce" | "observe";
  /** Open doors now, one a source and port. */
  readonly grants: number;
  /** How nftables is reached: `libnftables`, `nft-command`. */
  readonly nftables: string;
}

/** What `/statusz` answers, as JSON. No step and no source address is in it. */
export interface AgentStatus extends BuildInfo, StatusOfAgent {
  readonly uptimeSeconds: number;
  readonly ready: boolean;
  readonly stages: Readonly<Record<Stage, StageHealth>>;
  readonly capture: CaptureStatus;
  readonly policies: ConfigStatus & { readonly accepted: readonly string[] };
  readonly bootTable: BootTableStatus;
  readonly trackedSources: { readonly now: number; readonly limit: number };
  readonly logLinesDropped: number;
}
