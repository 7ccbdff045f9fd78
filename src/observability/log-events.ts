/** How loud an event is: error = a person must act, warn = degraded, info = state changed, debug = per packet. */
export type EventLevel = "error" | "warn" | "info" | "debug";

/** What one event of the log means. */
export interface LogEventSpec {
  readonly level: EventLevel;
  readonly help: string;
}

/**
 * The closed vocabulary of the field `event`. The page docs/reference/events.md is made from it. Those that begin with
 * `grant-` are audit records: they carry `audit: true` and are written whatever --log-level says.
 */
export const logEvents = {
  "agent-starting": { level: "info", help: "The agent begins; version, mode." },
  "agent-ready": { level: "info", help: "Every stage works." },
  "agent-not-ready": { level: "warn", help: "A stage does not work; the message names each and why." },
  "agent-waiting": {
    level: "warn",
    help: "Another agent guards this network namespace; this one takes over when it ends.",
  },
  "agent-warned": { level: "warn", help: "The agent goes on with less than it should have; the message says what." },
  "agent-stopping": { level: "info", help: "The agent was told to end." },
  "agent-stopped": { level: "info", help: "The agent has ended; the table stays and grants run out by themselves." },
  "agent-failed": { level: "error", help: "The agent cannot go on; the message says why." },
  "confirmation-asked": {
    level: "warn",
    help: "Ports are closed for a trial: without a right knock or `knockgate confirm` in time the agent falls back to observe.",
  },
  "confirmation-given": { level: "info", help: "Somebody gets in: ports stay closed, or are closed again." },
  "confirmation-lapsed": {
    level: "error",
    help: "Nobody has confirmed in time: the agent only observes, and every port is as open as the other firewall leaves it.",
  },
  "capture-started": { level: "info", help: "These interfaces are tapped now." },
  "capture-stopped": { level: "warn", help: "No interface is tapped." },
  "capture-waiting": { level: "warn", help: "An interface that was asked for is not there." },
  "capture-restarted": { level: "warn", help: "The capture began anew; `reason` is the cause." },
  "capture-reloaded": { level: "info", help: "The capture began anew because what it watches has changed." },
  "capture-warned": { level: "warn", help: "A fault of the capture, or a privilege that could not be given up." },
  "config-accepted": { level: "info", help: "A snapshot of the configuration is in force." },
  "config-refused": { level: "error", help: "A snapshot was not believed; the last good one stays in force." },
  "config-restored": {
    level: "error",
    help: "At the start a source could not be taken; what was kept of it from before the restart is in force.",
  },
  "policy-problem": { level: "error", help: "A policy was rejected; code, file, line and field say where and why." },
  "policy-warning": {
    level: "warn",
    help: "A policy is in force but weak; code, file, line and field say where and why.",
  },
  "kubernetes-lost": {
    level: "warn",
    help: "A watch of the Kubernetes API fails; the agent goes on with what it knows. `reason` is the code.",
  },
  "kubernetes-current": { level: "info", help: "Every watch of the Kubernetes API is current again." },
  "kubernetes-warned": {
    level: "warn",
    help: "Something of the Kubernetes API cannot be used; the message says what.",
  },
  "kubernetes-failed": { level: "error", help: "A change seen by a watch could not be taken up: a defect." },
  "nftables-drift": { level: "warn", help: "Somebody else changed the table; the difference is put right." },
  "nftables-failed": { level: "error", help: "The table is not as wanted; the message says why." },
  "nftables-intact": { level: "info", help: "The table is as wanted again." },
  "nftables-warned": { level: "warn", help: "nftables is degraded but goes on." },
  "log-lines-dropped": {
    level: "warn",
    help: "Standard output was too slow or closed; `count` lines were thrown away.",
  },
  "socket-failed": { level: "warn", help: "The control socket had a fault." },
  "command-ended": {
    level: "info",
    help: "A command of a policy has ended with exit code 0; `output` is what it wrote.",
  },
  "command-failed": {
    level: "warn",
    help: "A command of a policy failed, took too long or could not be started; `reason` or `exitCode` says how.",
  },
  "command-warned": { level: "warn", help: "Commands go on with less than they should have; the message says what." },
  "grant-added": { level: "info", help: "A door was opened for a source." },
  "grant-renewed": { level: "info", help: "A door that was open stays open for longer." },
  "grant-shortened": {
    level: "info",
    help: "A door that is open will close earlier: a KnockGrant was deleted, and another one holds it for less long.",
  },
  "grant-revoked": { level: "info", help: "A door was closed before its time; `detail` says by what." },
  "grant-expired": { level: "info", help: "A door's time has run out." },
  "grant-refused": { level: "warn", help: "The knock was right and no door was opened; `reason` says why." },
  "grant-failed": { level: "error", help: "The kernel did not take the grant; `reason` says why." },
} as const satisfies Record<string, LogEventSpec>;

export type LogEventName = keyof typeof logEvents;
