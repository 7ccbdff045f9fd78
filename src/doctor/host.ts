import { constants } from "node:fs";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** What is known of the state directory: its nearest folder that is there, and whether that can be written to. */
export interface FolderFacts {
  readonly path: string;
  readonly isThere: boolean;
  readonly writable: boolean;
}

/** How the access is asked for; access(2). */
export const writeAccess = constants.W_OK | constants.X_OK;

/** Pure. */
export function judgeStateDir({ path, isThere, writable }: FolderFacts): Finding {
  if (writable) return ok("state-dir", isThere ? `${path} can be written to` : `${path} will be made`);
  const mend = `make it writable for the agent, or name another with --state-dir`;
  return problem("state-dir", `${path} cannot be written to: no lock, no table for the next boot`, mend);
}

/** A unit of systemd that speaks of the table kept for the boot. */
export interface BootUnit {
  readonly name: string;
  readonly enabled: boolean;
}

/** Without such a unit guarded ports are open from boot to the agent's start. Pure. */
export function judgeBootUnit(units: readonly BootUnit[]): Finding {
  const enabled = units.find((unit) => unit.enabled);
  if (enabled !== undefined) return ok("boot", `${enabled.name} loads the last table before the network is up`);
  const [installed] = units;
  const open = "from boot to the agent's start guarded ports are as open as other firewalls leave them";
  if (installed !== undefined)
    return warning("boot", `${installed.name} is not enabled: ${open}`, `systemctl enable ${installed.name}`);
  const mend =
    "copy deploy/systemd/knockgate-boot.service to /etc/systemd/system, with your --state-dir, and enable it";
  return warning("boot", `no unit loads the last table: ${open}`, mend);
}

/** Who else could be at work: an agent that answers on the socket, and whether one holds the lock of this network namespace. */
export interface AgentFacts {
  readonly socketAnswers: boolean;
  readonly isLocked: boolean;
}

/** Pure. */
export function judgeAgents({ socketAnswers, isLocked }: AgentFacts, socket: string): Finding {
  if (socketAnswers) return ok("agent", `one runs and answers on ${socket}`);
  if (!isLocked) return ok("agent", "none runs in this network namespace");
  const mend = "end it, or name its --socket here; a second agent would wait for it";
  return warning("agent", `one holds the lock, and does not answer on ${socket}`, mend);
}
