import type { ConfirmationState, Mode } from "../confirmation.ts";
import type { Stage, StageHealth } from "./health.ts";
import type { BuildInfo } from "./metrics.ts";
import type { WatchStatus } from "./observed-kubernetes.ts";
import type { BootTableStatus, CaptureStatus, ConfigStatus } from "./reports.ts";

/** The part of the status that only the agent knows. */
export interface StatusOfAgent {
  /** How the gate is loaded: `observe` too where a confirmation has lapsed. */
  readonly mode: Mode;
  /** Whether somebody has shown that nobody is locked out (`--confirm-within`). */
  readonly confirmation: ConfirmationState;
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
  /** The watches of the Kubernetes API; empty where it is not used. */
  readonly kubernetes: readonly WatchStatus[];
  readonly bootTable: BootTableStatus;
  readonly trackedSources: { readonly now: number; readonly limit: number };
  readonly logLinesDropped: number;
}
