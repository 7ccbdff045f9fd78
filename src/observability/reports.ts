import type { CaptureReport } from "../capture/packet-source.ts";
import type { Clock } from "../clock.ts";
import type { ConfigReport } from "../config-source/config-report.ts";
import type { GrantEvent, GrantEventKind, GrantReport } from "../grant/grant-report.ts";
import type { GateReport } from "../nftables/gate-report.ts";
import { formatAddress } from "../policy/address.ts";
import { formatPort } from "../policy/port.ts";
import type { Problem } from "../policy/problem.ts";
import { type AuditLog, isoTime } from "./audit-log.ts";
import type { Stage } from "./health.ts";
import type { Logger } from "./logger.ts";
import type { GrantResult } from "./metric-table.ts";
import type { BuildInfo, Metrics } from "./metrics.ts";
import type { WatchEvent, WatchHub } from "./watch-hub.ts";

/** Where the reports write. */
export interface ReportSinks {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly audit: AuditLog;
  readonly hub: WatchHub;
  /** Takes versions that became known after the start. */
  readonly knownBuild: (build: Partial<BuildInfo>) => void;
  /** Says that a stage works, or why not. True when that is news. */
  readonly setStage: (stage: Stage, reason: string | undefined) => boolean;
}

/** What is captured now, for `/statusz`. */
export interface CaptureStatus {
  readonly interfaces: readonly string[];
  readonly waitingFor: readonly string[];
}

/** What the configuration last said, for `/statusz`. */
export interface ConfigStatus {
  readonly rejected: number;
  readonly problems: readonly Problem[];
  /** Why the last snapshot was not believed; undefined when it was. */
  readonly stale: string | undefined;
}

/** The capture's report: counts, the stage's health, and a line when what is tapped changes. */
export class ObservedCapture implements CaptureReport {
  private readonly sinks: ReportSinks;
  private readonly missing: () => void;
  private current: CaptureStatus = { interfaces: [], waitingFor: [] };

  /** `missing` is called when an interface that was asked for is not there. */
  constructor(sinks: ReportSinks, missing: () => void = () => {}) {
    this.sinks = sinks;
    this.missing = missing;
  }

  get status(): CaptureStatus {
    return this.current;
  }

  packets(interfaceName: string, count: number): void {
    this.sinks.metrics.packets(interfaceName, count);
  }

  dropped(reason: Parameters<CaptureReport["dropped"]>[0], count: number): void {
    this.sinks.metrics.dropped(reason, count);
  }

  discarded(reason: Parameters<CaptureReport["discarded"]>[0], count: number): void {
    this.sinks.metrics.discarded(reason, count);
  }

  restarted(cause: Parameters<CaptureReport["restarted"]>[0]): void {
    this.sinks.metrics.restarted(cause);
    if (cause === "reload") this.sinks.logger.log("capture-reloaded", "The capture watches other ports now.");
    else this.sinks.logger.log("capture-restarted", "The capture began anew.", { reason: cause });
  }

  capturing(interfaces: readonly string[], waitingFor: readonly string[], trouble?: string): void {
    this.sinks.metrics.capturing(interfaces, waitingFor);
    if (waitingFor.length > 0) this.missing();
    const before = this.current;
    this.current = { interfaces: [...interfaces], waitingFor: [...waitingFor] };
    this.sinks.setStage("capture", captureReason(this.current, trouble));
    if (before.interfaces.join() !== interfaces.join()) this.tellTapped(interfaces);
    if (before.waitingFor.join() !== waitingFor.join() && waitingFor.length > 0)
      this.sinks.logger.log("capture-waiting", "An interface that was asked for is not there.", {
        interfaces: waitingFor,
      });
  }

  library(version: string): void {
    this.sinks.knownBuild({ libpcapVersion: version });
  }

  warned(message: string): void {
    this.sinks.logger.log("capture-warned", message);
  }

  private tellTapped(interfaces: readonly string[]): void {
    if (interfaces.length > 0)
      this.sinks.logger.log("capture-started", "Knocks are seen on these interfaces.", { interfaces });
    else this.sinks.logger.log("capture-stopped", "No interface is tapped, so no knock is seen.");
  }
}

function captureReason({ interfaces, waitingFor }: CaptureStatus, trouble: string | undefined): string | undefined {
  if (interfaces.length === 0 && trouble !== undefined) return `no interface is tapped: ${trouble}`;
  if (waitingFor.length > 0) return `waiting for interface ${waitingFor.join(", ")}`;
  return interfaces.length > 0 ? undefined : "no interface is tapped";
}

/** The results that the counter of grants knows; what ends a grant is in the audit log only. */
const resultOfKind: Readonly<Record<GrantEventKind, GrantResult | undefined>> = {
  added: "added",
  renewed: "renewed",
  refused: "refused",
  failed: "failed",
  shortened: undefined,
  revoked: undefined,
  expired: undefined,
};

/** The grant stage's report: an audit record, a count and a line for watchers each. */
export class ObservedGrants implements GrantReport {
  private readonly sinks: ReportSinks;

  constructor(sinks: ReportSinks) {
    this.sinks = sinks;
  }

  grant(event: GrantEvent): void {
    const { metrics, audit, hub } = this.sinks;
    audit.record(event);
    const result = resultOfKind[event.kind];
    if (result !== undefined) metrics.grant(event.policy, result);
    if (event.reason !== undefined) metrics.grantRefused(event.reason);
    if (event.latencySeconds !== undefined) metrics.knockToGrant(event.latencySeconds);
    if (hub.watched) hub.tell(event.source, () => this.watchEvent(event));
  }

  active(policy: string, count: number): void {
    this.sinks.metrics.grantsActive(policy, count);
  }

  private watchEvent(event: GrantEvent): WatchEvent {
    return {
      time: isoTime(this.sinks.clock.wallMicros()),
      kind: `grant-${event.kind}`,
      source: formatAddress(event.source),
      policy: event.policy,
      ports: event.ports.map(formatPort),
      until: event.untilWallMicros === undefined ? undefined : isoTime(event.untilWallMicros),
      reason: event.reason ?? event.detail,
    };
  }
}

/** Whether the table in force is kept for the next boot, for `/statusz`. */
export interface BootTableStatus {
  readonly kept: boolean;
  /** Why not; undefined when it is. */
  readonly reason: string | undefined;
}

/** The nftables stage's report. */
export class ObservedGate implements GateReport {
  private readonly sinks: ReportSinks;

  private current: BootTableStatus = { kept: false, reason: "nothing was loaded yet" };

  constructor(sinks: ReportSinks) {
    this.sinks = sinks;
  }

  get status(): BootTableStatus {
    return this.current;
  }

  kept(reason: string | undefined): void {
    const isNews = this.current.reason !== reason;
    this.current = { kept: reason === undefined, reason };
    this.sinks.metrics.bootTableKept(this.current.kept);
    if (isNews && reason !== undefined) this.warned(reason);
  }

  transaction(result: "ok" | "failed", seconds: number): void {
    this.sinks.metrics.transaction(result, seconds);
  }

  drift(differences: readonly string[]): void {
    this.sinks.metrics.drift(differences.length);
    for (const difference of differences) this.sinks.logger.log("nftables-drift", difference);
  }

  synced(): void {
    this.sinks.metrics.synced(this.sinks.clock.wallMicros() / 1e6);
  }

  intact(reason: string | undefined): void {
    if (!this.sinks.setStage("nftables", reason)) return;
    if (reason === undefined) this.sinks.logger.log("nftables-intact", "The table is as wanted.");
    else this.sinks.logger.log("nftables-failed", `The table is not as wanted: ${reason}`);
  }

  warned(message: string): void {
    this.sinks.logger.log("nftables-warned", message);
  }
}

/** The configuration's report: a refused snapshot is told and counted, but what is in force stays good. */
export class ObservedConfig implements ConfigReport {
  private readonly sinks: ReportSinks;
  private current: ConfigStatus = { rejected: 0, problems: [], stale: undefined };
  private everAccepted = false;

  constructor(sinks: ReportSinks) {
    this.sinks = sinks;
  }

  get status(): ConfigStatus {
    return this.current;
  }

  accepted(accepted: number, rejected: number, problems: readonly Problem[]): void {
    this.everAccepted = true;
    this.current = { rejected, problems: [...problems], stale: undefined };
    this.sinks.metrics.configAccepted(accepted, rejected, this.sinks.clock.wallMicros() / 1e6);
    this.sinks.metrics.oneTimeExhausted(problems.filter(({ code }) => code === "one-time-exhausted").length);
    this.sinks.setStage("config", undefined);
    this.sinks.logger.log("config-accepted", "The configuration is in force.", { accepted, rejected });
    for (const problem of problems) this.tellProblem(problem);
  }

  refused(reason: string): void {
    this.current = { ...this.current, stale: reason };
    this.sinks.metrics.configRefused();
    if (!this.everAccepted) this.sinks.setStage("config", reason);
    this.sinks.logger.log("config-refused", "The configuration was not believed; the last good one stays.", { reason });
  }

  restored(accepted: number, problems: readonly Problem[], reason: string): void {
    this.everAccepted = true; // something good is in force, as after any other bad snapshot
    const rejected = new Set(problems.flatMap(({ severity, policy }) => (severity === "error" ? (policy ?? []) : [])));
    this.current = { rejected: rejected.size, problems: [...problems], stale: reason };
    this.sinks.metrics.configRestored(accepted);
    this.sinks.setStage("config", undefined);
    const message = "The configuration was not believed; the policies kept from before the restart are in force.";
    this.sinks.logger.log("config-restored", message, { accepted, reason });
    for (const problem of problems) this.tellProblem(problem);
  }

  warned(message: string): void {
    this.sinks.logger.log("agent-warned", message);
  }

  private tellProblem(problem: Problem): void {
    const { policy, code, field, place } = problem;
    const fields = { policy, code, field, file: place.origin, line: place.line };
    this.sinks.logger.log(problem.severity === "error" ? "policy-problem" : "policy-warning", problem.message, fields);
  }
}
