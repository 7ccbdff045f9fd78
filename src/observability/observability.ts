import type { Writable } from "node:stream";
import type { CaptureReport } from "../capture/packet-source.ts";
import type { Clock } from "../clock.ts";
import type { CommandReport } from "../command/command-report.ts";
import type { ConfigReport } from "../config-source/config-report.ts";
import type { ConfirmationReport } from "../confirmation.ts";
import type { GrantReport } from "../grant/grant-report.ts";
import type { ReflectorReport } from "../kubernetes/reflector-report.ts";
import type { GateReport } from "../nftables/gate-report.ts";
import { formatAddress } from "../policy/address.ts";
import type { Policy } from "../policy/policy.ts";
import type { ReplicationReport } from "../replication/replication-report.ts";
import type { KnockEngine, SequenceReport } from "../sequence/outcome.ts";
import { AuditLog, isoTime } from "./audit-log.ts";
import { GuardedDrops } from "./guarded-drops.ts";
import { Health, type Readiness, type Stage } from "./health.ts";
import type { KnockdLog } from "./knockd-log.ts";
import type { EventLevel, LogEventName } from "./log-events.ts";
import { type LogFields, type LogFormat, Logger } from "./logger.ts";
import { type BuildInfo, Metrics } from "./metrics.ts";
import { ObservedCommands } from "./observed-commands.ts";
import { ObservedConfirmation } from "./observed-confirmation.ts";
import { ObservedKubernetes } from "./observed-kubernetes.ts";
import { ObservedReplication } from "./observed-replication.ts";
import { ObservedSequence } from "./observed-sequence.ts";
import { ObservedCapture, ObservedConfig, ObservedGate, ObservedGrants, type ReportSinks } from "./reports.ts";
import type { AgentStatus, StatusOfAgent } from "./status.ts";
import { type WatchEvent, type WatchFilter, WatchHub } from "./watch-hub.ts";

export interface ObservabilityOptions {
  readonly clock: Clock;
  readonly build: BuildInfo;
  readonly logLevel: EventLevel;
  readonly logFormat: LogFormat;
  /** Where the log goes; never waited for. */
  readonly stdout: Writable;
  /** Is told what knockd logs, and when an interface is waited for. */
  readonly knockd?: { readonly log: KnockdLog; readonly waitingFor: () => void } | undefined;
}

/**
 * Everything that can be seen of an agent from outside: metrics, log, audit records, health, status and the live events of
 * `knockgate watch`. The stages tell it through their own small interfaces, one property each; nothing depends on it.
 */
export class Observability {
  readonly capture: CaptureReport;
  readonly sequence: SequenceReport;
  readonly grants: GrantReport;
  readonly commands: CommandReport;
  readonly gate: GateReport;
  readonly config: ConfigReport;
  readonly confirmation: ConfirmationReport;
  readonly kubernetes: ReflectorReport;
  readonly replication: ReplicationReport;
  readonly metrics: Metrics;
  private readonly clock: Clock;
  private readonly startedMicros: number;
  private readonly logger: Logger;
  private readonly health = new Health();
  private readonly hub: WatchHub;
  private readonly knockdLog: KnockdLog | undefined;
  private readonly observedCapture: ObservedCapture;
  private readonly observedConfig: ObservedConfig;
  private readonly observedGate: ObservedGate;
  private readonly observedSequence: ObservedSequence;
  private readonly observedKubernetes: ObservedKubernetes;
  private readonly drops: GuardedDrops;
  private build: BuildInfo;
  private wasReady = false;
  private policyNames: readonly string[] = [];
  private engine: Pick<KnockEngine, "trackedSources" | "trackedSourcesLimit"> = {
    trackedSources: 0,
    trackedSourcesLimit: 0,
  };

  constructor(options: ObservabilityOptions) {
    const { clock, build, logLevel: level, logFormat: format, stdout: stream } = options;
    this.clock = clock;
    this.startedMicros = clock.nowMicros();
    this.build = build;
    this.logger = new Logger({ level, format, stream, clock });
    this.hub = new WatchHub(clock);
    this.drops = new GuardedDrops(clock, (reason) => this.gate.warned(`the drops cannot be counted: ${reason}`));
    this.metrics = this.createMetrics();
    this.metrics.buildInfo(build);
    const sinks = this.sinks();
    const { knockd } = options;
    this.knockdLog = knockd?.log;
    this.capture = this.observedCapture = new ObservedCapture(sinks, knockd?.waitingFor);
    this.config = this.observedConfig = new ObservedConfig(sinks);
    this.sequence = this.observedSequence = new ObservedSequence(this.metrics, this.hub, knockd?.log);
    this.grants = new ObservedGrants(sinks);
    this.commands = new ObservedCommands(sinks, knockd?.log);
    this.gate = this.observedGate = new ObservedGate(sinks);
    this.confirmation = new ObservedConfirmation(sinks);
    this.replication = new ObservedReplication(sinks);
    this.kubernetes = this.observedKubernetes = new ObservedKubernetes(sinks);
  }

  /** Writes one line of the log. */
  log(event: LogEventName, message: string, fields?: LogFields): void {
    this.logger.log(event, message, fields);
  }

  /** Versions that became known after the start. */
  knownBuild(build: Partial<BuildInfo>): void {
    this.build = { ...this.build, ...build };
    this.metrics.buildInfo(this.build);
  }

  /** The policies in force: names for metrics, status and watchers. */
  usePolicies(policies: readonly Policy[]): void {
    this.policyNames = policies.map((policy) => policy.name);
    this.metrics.usePolicies(this.policyNames);
    this.observedSequence.usePolicies(policies);
    this.knockdLog?.usePolicies(policies);
  }

  /** The tracker whose size a scrape shows. */
  trackEngine(engine: Pick<KnockEngine, "trackedSources" | "trackedSourcesLimit">): void {
    this.engine = engine;
  }

  /** How the kernel is asked for the packets that the gate has dropped. */
  countDrops(ask: () => Promise<number | undefined>): void {
    this.drops.askBy(ask);
  }

  /** Says that a stage works (undefined) or why it does not; the capture, gate and configuration reports do so themselves. */
  setStage(stage: Stage, reason: string | undefined): boolean {
    const changed = this.health.set(stage, reason);
    if (changed) this.tellReadiness();
    return changed;
  }

  /** The agent was told to end: not ready from now on. */
  stopping(): void {
    this.health.stop();
    this.wasReady = false;
    this.logger.log("agent-stopping", "The agent ends; the table stays and grants run out by themselves.");
  }

  readiness(): Readiness {
    return this.health.readiness();
  }

  /** Calls the listener for each event; it must not throw. Undefined: too many watch already. */
  subscribe(filter: WatchFilter, listener: (event: WatchEvent) => void): (() => void) | undefined {
    return this.hub.subscribe(filter, listener);
  }

  /** What a watcher is told first: whose knocks count here, and whether any can be seen. */
  watching({ source }: WatchFilter): WatchEvent {
    const { failures } = this.readiness();
    return {
      time: isoTime(this.clock.wallMicros()),
      kind: "watching",
      source: source && formatAddress(source),
      policies: this.observedSequence.takers(source),
      reason: failures.length === 0 ? undefined : failures.join("; "),
    };
  }

  /** What `/statusz` and the socket answer; no step and no source is in it. */
  status(agent: StatusOfAgent): AgentStatus {
    const { ready, stages } = this.health.readiness();
    return {
      ...this.build,
      ...agent,
      uptimeSeconds: Math.floor((this.clock.nowMicros() - this.startedMicros) / 1e6),
      ready,
      stages,
      capture: this.observedCapture.status,
      policies: { accepted: this.policyNames, ...this.observedConfig.status },
      kubernetes: this.observedKubernetes.status,
      bootTable: this.observedGate.status,
      trackedSources: { now: this.engine.trackedSources, limit: this.engine.trackedSourcesLimit },
      logLinesDropped: this.logger.droppedLines,
    };
  }

  /** Resolves when the log is written out; the caller bounds the wait. */
  async drained(): Promise<void> {
    await this.logger.drained();
  }

  private tellReadiness(): void {
    const { ready, failures } = this.health.readiness();
    if (ready === this.wasReady) return;
    this.wasReady = ready;
    if (ready) this.logger.log("agent-ready", "Every stage works.");
    else this.logger.log("agent-not-ready", `Not ready: ${failures.join("; ")}.`);
  }

  private createMetrics(): Metrics {
    return new Metrics({
      health: this.health,
      trackedSources: () => this.engine.trackedSources,
      trackedSourcesLimit: () => this.engine.trackedSourcesLimit,
      logLinesDropped: () => this.logger.droppedLines,
      watchEventsDropped: () => this.hub.droppedEvents,
      guardedDropped: () => this.drops.read(),
    });
  }

  private sinks(): ReportSinks {
    const { clock, metrics, logger, hub } = this;
    const setStage = (stage: Stage, reason: string | undefined) => this.setStage(stage, reason);
    const knownBuild = (build: Partial<BuildInfo>) => this.knownBuild(build);
    return { clock, metrics, logger, hub, audit: new AuditLog(logger), setStage, knownBuild };
  }
}
