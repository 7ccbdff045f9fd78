import { monitorEventLoopDelay } from "node:perf_hooks";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { CaptureDropReason, RestartCause } from "../capture/packet-source.ts";
import { type CommandResult, commandResults } from "../command/command-report.ts";
import { type ConfirmationState, confirmationStates } from "../confirmation.ts";
import { type DropReason, type Knock, protocolNumber } from "../decode/knock.ts";
import type { Refusal } from "../grant/grant.ts";
import type { WatchedResource, RestartCause as WatchRestartCause } from "../kubernetes/reflector-report.ts";
import { type Family, familyOf } from "../policy/address.ts";
import { type Protocol, protocols } from "../policy/port.ts";
import type { CreationResult, DeletionCause } from "../replication/replication-report.ts";
import { type OutcomeKind, outcomes } from "../sequence/outcome.ts";
import { type Health, stages } from "./health.ts";
import { LabelSet, otherLabel } from "./label-set.ts";
import { createSeries, type MetricSeries } from "./metric-series.ts";
import { type GrantResult, grantResults, labelCaps, modes, type watchStates } from "./metric-table.ts";

/** What is running, for `build_info`. What is not known is `unknown`. */
export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly nodeVersion: string;
  readonly libpcapVersion: string;
  readonly nftVersion: string;
}

/** Numbers that are asked for when somebody scrapes, instead of being told at every change. */
export interface ScrapedNumbers {
  readonly health: Health;
  trackedSources(): number;
  trackedSourcesLimit(): number;
  logLinesDropped(): number;
  watchEventsDropped(): number;
  /** Undefined while the kernel has not told. */
  guardedDropped(): Promise<number | undefined>;
}

/** One combination of the labels of `knocks_total`, in the order of the counting array. */
interface KnockRow {
  readonly outcome: OutcomeKind;
  readonly family: Family;
  readonly protocol: Protocol;
}

const knockRows: readonly KnockRow[] = outcomes.flatMap((outcome) =>
  (["ipv4", "ipv6"] as const).flatMap((family) => protocols.map((protocol) => ({ outcome, family, protocol }))),
);
const firstRow = Object.fromEntries(outcomes.map((outcome, at) => [outcome, at * 4])) as Record<OutcomeKind, number>;

/** Gauges of prom-client that are called as if they were counters; `nodejs_active_resources` says the same by type. */
const misnamed = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

/**
 * How late the event loop is, is looked at so often. prom-client does it a hundred times a second, each time waking an idle
 * process; its series of that are left out.
 */
const lagLookMs = 1000;
const never = 0x7fffffff;
const lagSeries = ["min", "max", "mean", "stddev", "p50", "p90", "p99"].map(
  (of) => `nodejs_eventloop_lag_${of}_seconds`,
);

/**
 * The metrics, in a registry of their own. What happens once a packet is counted in a typed array and handed to prom-client
 * at a scrape: a labelled `inc` costs a string and a look-up for each packet of a flood.
 */
export class Metrics {
  private readonly registry = new Registry();
  private readonly series: MetricSeries = createSeries(this.registry);
  private readonly knockCounts = new Float64Array(knockRows.length);
  private readonly policies = new LabelSet(labelCaps.policies);
  private readonly interfaces = new LabelSet(labelCaps.interfaces);
  private readonly activeGrants = new Map<string, number>();
  private readonly scraped: ScrapedNumbers;
  /** Of nanoseconds between two looks, since the last scrape. */
  private readonly loopDelay = monitorEventLoopDelay({ resolution: lagLookMs });

  constructor(scraped: ScrapedNumbers) {
    this.scraped = scraped;
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: never });
    this.loopDelay.enable();
    for (const name of [...misnamed, ...lagSeries]) this.registry.removeSingleMetric(name);
    this.policySeries(otherLabel);
  }

  /** The content type that goes with `text`. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    this.fillAtScrape(await this.scraped.guardedDropped());
    return this.registry.metrics();
  }

  buildInfo(build: BuildInfo): void {
    this.series.gauge.buildInfo.reset();
    const { version, revision, nodeVersion, libpcapVersion, nftVersion } = build;
    const versions = { node_version: nodeVersion, libpcap_version: libpcapVersion, nft_version: nftVersion };
    this.series.gauge.buildInfo.set({ version, revision, ...versions }, 1);
  }

  /** Counts one knock; allocates nothing. */
  knock(outcome: OutcomeKind, knock: Knock): void {
    const family = familyOf(knock.source) === "ipv6" ? 2 : 0;
    const row = firstRow[outcome] + family + (knock.protocol === protocolNumber.udp ? 1 : 0);
    this.knockCounts[row] = (this.knockCounts[row] ?? 0) + 1;
  }

  evicted(count: number): void {
    this.series.counter.trackerEvictions.inc(count);
  }

  packets(interfaceName: string, count: number): void {
    this.series.counter.capturePackets.inc({ interface: this.interfaces.admit(interfaceName) }, count);
  }

  dropped(reason: CaptureDropReason, count: number): void {
    this.series.counter.captureDropped.inc({ reason }, count);
  }

  discarded(reason: DropReason, count: number): void {
    this.series.counter.decodeDiscarded.inc({ reason }, count);
  }

  restarted(cause: RestartCause): void {
    this.series.counter.captureRestarts.inc({ cause });
  }

  /**
   * While something is tapped, an interface that went away for good loses its series. When nothing is tapped, the ones
   * tapped last stay at zero, so that an alert has something to fire on.
   */
  capturing(tapped: readonly string[], waitingFor: readonly string[]): void {
    if (tapped.length > 0) this.forgetInterfaces(this.interfaces.replace([...tapped, ...waitingFor]));
    for (const name of waitingFor) this.interfaces.admit(name);
    const up = this.series.gauge.captureUp;
    for (const name of this.interfaces) up.set({ interface: name }, tapped.includes(name) ? 1 : 0);
    const rest = tapped.filter((name) => this.interfaces.labelFor(name) === otherLabel).length;
    if (rest > 0) up.set({ interface: otherLabel }, 1);
  }

  private forgetInterfaces(names: readonly string[]): void {
    for (const name of names) {
      this.series.gauge.captureUp.remove({ interface: name });
      this.series.counter.capturePackets.remove({ interface: name });
    }
    this.series.gauge.captureUp.remove({ interface: otherLabel });
  }

  /** The policies in force: each gets its series at zero, and those of others go. */
  usePolicies(names: readonly string[]): void {
    for (const policy of this.policies.replace(names)) {
      for (const result of grantResults) this.series.counter.grants.remove({ policy, result });
      for (const result of commandResults) this.series.counter.commands.remove({ policy, result });
    }
    for (const name of this.policies) this.policySeries(name);
  }

  private policySeries(policy: string): void {
    for (const result of grantResults) this.series.counter.grants.inc({ policy, result }, 0);
    for (const result of commandResults) this.series.counter.commands.inc({ policy, result }, 0);
  }

  grant(policyName: string, result: GrantResult): void {
    this.series.counter.grants.inc({ policy: this.policies.labelFor(policyName), result });
  }

  grantRefused(reason: Refusal): void {
    this.series.counter.grantsRefused.inc({ reason });
  }

  grantsLimit(limit: number): void {
    this.series.gauge.grantsLimit.set(limit);
  }

  command(policyName: string, result: CommandResult): void {
    this.series.counter.commands.inc({ policy: this.policies.labelFor(policyName), result });
  }

  /** Live grants of one policy. Names with none are not kept, so the map is bounded by the grants. */
  grantsActive(policyName: string, count: number): void {
    if (count > 0) this.activeGrants.set(policyName, count);
    else this.activeGrants.delete(policyName);
  }

  knockToGrant(seconds: number): void {
    this.series.histogram.knockToGrant.observe(seconds);
  }

  transaction(result: "ok" | "failed", seconds: number): void {
    this.series.counter.nftablesTransactions.inc({ result });
    this.series.histogram.nftablesTransactionSeconds.observe({ result }, seconds);
  }

  /** A connection of the HTTP port was ended to make room. */
  httpConnectionDropped(): void {
    this.series.counter.httpConnectionsDropped.inc();
  }

  drift(differences: number): void {
    this.series.counter.nftablesDrift.inc(differences);
  }

  bootTableKept(isKept: boolean): void {
    this.series.gauge.bootTableKept.set(isKept ? 1 : 0);
  }

  synced(wallSeconds: number): void {
    this.series.gauge.nftablesLastSync.set(wallSeconds);
  }

  configAccepted(accepted: number, rejected: number, wallSeconds: number): void {
    this.series.gauge.configReloadSuccessful.set(1);
    this.series.gauge.configReloadTime.set(wallSeconds);
    this.series.gauge.configPolicies.set({ state: "accepted" }, accepted);
    this.series.gauge.configPolicies.set({ state: "rejected" }, rejected);
  }

  /** Doors of a knockd.conf whose one-time file is used up. */
  oneTimeExhausted(count: number): void {
    this.series.gauge.oneTimeExhausted.set(count);
  }

  configRefused(): void {
    this.series.gauge.configReloadSuccessful.set(0);
  }

  configRestored(accepted: number): void {
    this.configRefused();
    this.series.gauge.configPolicies.set({ state: "accepted" }, accepted);
  }

  grantReplicated(result: CreationResult): void {
    this.series.counter.grantReplications.inc({ result });
  }

  grantDeleted(cause: DeletionCause): void {
    this.series.counter.grantDeletions.inc({ cause });
  }

  replicationsWaiting(count: number): void {
    this.series.gauge.replicationsWaiting.set(count);
  }

  watchRestarted(resource: WatchedResource, cause: WatchRestartCause): void {
    this.series.counter.watchRestarts.inc({ resource, cause });
  }

  watches(resource: WatchedResource, state: (typeof watchStates)[number], count: number): void {
    this.series.gauge.watches.set({ resource, state }, count);
  }

  watchHandlerFailed(resource: WatchedResource): void {
    this.series.counter.watchHandlerFailures.inc({ resource });
  }

  mode(current: (typeof modes)[number]): void {
    for (const mode of modes) this.series.gauge.mode.set({ mode }, mode === current ? 1 : 0);
  }

  confirmation(current: ConfirmationState): void {
    for (const state of confirmationStates) this.series.gauge.confirmation.set({ state }, state === current ? 1 : 0);
  }

  private fillAtScrape(guardedDropped: number | undefined): void {
    const { counter, gauge } = this.series;
    counter.guardedDropped.remove();
    if (guardedDropped !== undefined) counter.guardedDropped.inc(guardedDropped);
    fillCounter(counter.logLinesDropped, this.scraped.logLinesDropped());
    fillCounter(counter.watchEventsDropped, this.scraped.watchEventsDropped());
    counter.knocks.reset();
    for (const [at, row] of knockRows.entries()) counter.knocks.inc({ ...row }, this.knockCounts[at] ?? 0);
    gauge.eventLoopLag.set(Math.max(0, this.loopDelay.max / 1e9 - lagLookMs / 1000));
    this.loopDelay.reset();
    gauge.trackedSources.set(this.scraped.trackedSources());
    gauge.trackedSourcesLimit.set(this.scraped.trackedSourcesLimit());
    for (const stage of stages) gauge.stageReady.set({ stage }, this.scraped.health.isOk(stage) ? 1 : 0);
    gauge.grantsActive.reset();
    for (const policy of [...this.policies, otherLabel]) gauge.grantsActive.set({ policy }, 0);
    for (const [name, count] of this.activeGrants)
      gauge.grantsActive.inc({ policy: this.policies.labelFor(name) }, count);
  }
}

/** Sets a counter without labels to what was counted elsewhere. */
function fillCounter(counter: MetricSeries["counter"]["logLinesDropped"], total: number): void {
  counter.reset();
  counter.inc(total);
}
