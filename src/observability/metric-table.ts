import { captureDropReasons, restartCauses as captureRestartCauses } from "../capture/packet-source.ts";
import { commandResults } from "../command/command-report.ts";
import { confirmationStates } from "../confirmation.ts";
import { dropReasons } from "../decode/knock.ts";
import { refusals } from "../grant/grant.ts";
import { restartCauses, watchedResources } from "../kubernetes/reflector-report.ts";
import { protocols } from "../policy/port.ts";
import { creationResults, deletionCauses } from "../replication/replication-report.ts";
import { outcomes } from "../sequence/outcome.ts";
import { stages } from "./health.ts";

/** What a label may say: a closed list, or a sentence that says what bounds it. */
export type LabelValues = readonly string[] | string;

/** One metric: what it is called, what it counts, and what its labels may say. Base units only; `_total` on counters only. */
export interface MetricSpec {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds of a histogram, ascending, in the unit of the name. */
  readonly buckets?: readonly number[];
}

/** Results of a grant as the label says them; revocations and expiries are in the audit log. */
export const grantResults = ["added", "renewed", "refused", "failed"] as const;
export type GrantResult = (typeof grantResults)[number];

/** What the gate does with a stranger's packet. */
export const modes = ["enforce", "observe"] as const;

/** How current a watch of the Kubernetes API is. */
export const watchStates = ["current", "waiting", "failing"] as const;

/** How many policies, and how many interfaces, have series of their own; the others share the label value `other`. */
export const labelCaps = { policies: 1000, interfaces: 64 } as const;

const policyLabel = "namespace/name of an accepted policy; 1,000 at most, `other` stands for the rest";
const interfaceLabel = "an interface that is tapped or asked for; 64 at most, `other` stands for the rest";
const versionLabel = "a version, or `unknown`";

/**
 * Every metric of Knockgate; the only place where one is declared. The page docs/reference/metrics.md is made from it. A
 * source address or a step is never a label.
 */
export const metricTable = {
  buildInfo: {
    type: "gauge",
    name: "knockgate_build_info",
    help: "Always 1; the labels say what is running.",
    labels: {
      version: versionLabel,
      revision: versionLabel,
      node_version: versionLabel,
      libpcap_version: versionLabel,
      nft_version: versionLabel,
    },
  },
  stageReady: {
    type: "gauge",
    name: "knockgate_stage_ready",
    help: "Whether a stage does its work (1) or makes /readyz fail (0).",
    labels: { stage: stages },
  },
  mode: {
    type: "gauge",
    name: "knockgate_mode",
    help: "Which mode the gate is in (1): enforce closes ports, observe only counts. An agent that nobody confirmed falls back to observe.",
    labels: { mode: modes },
  },
  confirmation: {
    type: "gauge",
    name: "knockgate_confirmation",
    help: "Which state the confirmation is in (1): while asked, and not answered in time, the gate falls back to observe (lapsed).",
    labels: { state: confirmationStates },
  },
  captureUp: {
    type: "gauge",
    name: "knockgate_capture_up",
    help: "Whether an interface is tapped (1), or was lost or is waited for (0).",
    labels: { interface: interfaceLabel },
  },
  capturePackets: {
    type: "counter",
    name: "knockgate_capture_packets_total",
    help: "Packets that passed the kernel's filter.",
    labels: { interface: interfaceLabel },
  },
  captureDropped: {
    type: "counter",
    name: "knockgate_capture_dropped_packets_total",
    help: "Packets lost before they were decoded, by where they were lost.",
    labels: { reason: captureDropReasons },
  },
  captureRestarts: {
    type: "counter",
    name: "knockgate_capture_restarts_total",
    help: "Times that the capture began anew, by cause.",
    labels: { cause: captureRestartCauses },
  },
  decodeDiscarded: {
    type: "counter",
    name: "knockgate_decode_discarded_packets_total",
    help: "Captured packets that are no knock, by reason.",
    labels: { reason: dropReasons },
  },
  knocks: {
    type: "counter",
    name: "knockgate_knocks_total",
    help: "Knocks, by what they did to their source's progress in a sequence.",
    labels: { outcome: outcomes, family: ["ipv4", "ipv6"], protocol: protocols },
  },
  eventLoopLag: {
    type: "gauge",
    name: "knockgate_event_loop_lag_seconds",
    help: "How late the agent's event loop was at worst since the last scrape; looked at once a second.",
    labels: {},
  },
  trackedSources: {
    type: "gauge",
    name: "knockgate_tracked_sources",
    help: "Sources whose progress is remembered now.",
    labels: {},
  },
  trackedSourcesLimit: {
    type: "gauge",
    name: "knockgate_tracked_sources_limit",
    help: "Sources whose progress can be remembered at most (--max-sources).",
    labels: {},
  },
  trackerEvictions: {
    type: "counter",
    name: "knockgate_tracker_evictions_total",
    help: "Progress thrown away to stay within the limit.",
    labels: {},
  },
  grants: {
    type: "counter",
    name: "knockgate_grants_total",
    help: "Grants asked for by knocks and KnockGrants, by result. A grant of several ports counts once.",
    labels: { policy: policyLabel, result: grantResults },
  },
  grantsRefused: {
    type: "counter",
    name: "knockgate_grants_refused_total",
    help: "Grants that were refused or failed, by reason: the kernel's, or a rule of the policy or of this agent.",
    labels: { reason: refusals },
  },
  commands: {
    type: "counter",
    name: "knockgate_commands_total",
    help: "Commands of policies that have ended, by result; refused ones were not started.",
    labels: { policy: policyLabel, result: commandResults },
  },
  oneTimeExhausted: {
    type: "gauge",
    name: "knockgate_one_time_exhausted",
    help: "Doors that are disabled because their file of one-time sequences is used up.",
    labels: {},
  },
  grantsActive: {
    type: "gauge",
    name: "knockgate_grants_active",
    help: "Grants that are open now, one a source and port; one that two policies hold counts for each.",
    labels: { policy: policyLabel },
  },
  grantsLimit: {
    type: "gauge",
    name: "knockgate_grants_limit",
    help: "Grants that can be open at most (--max-grants).",
    labels: {},
  },
  guardedDropped: {
    type: "counter",
    name: "knockgate_guarded_dropped_packets_total",
    help: "Packets of strangers to guarded ports that the kernel has dropped, or in observe would have. Outlives the agent.",
    labels: {},
  },
  knockToGrant: {
    type: "histogram",
    name: "knockgate_knock_to_grant_seconds",
    help: "From the time stamp of the last knock to the commit in the kernel.",
    labels: {},
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  nftablesTransactions: {
    type: "counter",
    name: "knockgate_nftables_transactions_total",
    help: "Transactions given to nftables, by result.",
    labels: { result: ["ok", "failed"] },
  },
  nftablesTransactionSeconds: {
    type: "histogram",
    name: "knockgate_nftables_transaction_seconds",
    help: "How long a transaction took, by result.",
    labels: { result: ["ok", "failed"] },
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
  },
  nftablesDrift: {
    type: "counter",
    name: "knockgate_nftables_drift_total",
    help: "Differences found between the table wanted and the table loaded, which somebody else had made.",
    labels: {},
  },
  nftablesLastSync: {
    type: "gauge",
    name: "knockgate_nftables_last_sync_timestamp_seconds",
    help: "When the table was last found as wanted or made so, since the epoch; 0: never.",
    labels: {},
  },
  bootTableKept: {
    type: "gauge",
    name: "knockgate_boot_table_kept",
    help: "Whether the table in force is kept in --state-dir for the next boot (1) or could not be written there (0).",
    labels: {},
  },
  configReloadSuccessful: {
    type: "gauge",
    name: "knockgate_config_last_reload_successful",
    help: "Whether the last snapshot of the configuration was taken into force (1) or refused (0).",
    labels: {},
  },
  configReloadTime: {
    type: "gauge",
    name: "knockgate_config_last_reload_success_timestamp_seconds",
    help: "When a snapshot was last taken into force, since the epoch; 0: never.",
    labels: {},
  },
  configPolicies: {
    type: "gauge",
    name: "knockgate_config_policies",
    help: "Policies of the configuration in force.",
    labels: { state: ["accepted", "rejected"] },
  },
  grantReplications: {
    type: "counter",
    name: "knockgate_grant_replications_total",
    help: "Knocks of this node that were to open a door on every node, by what became of the KnockGrant.",
    labels: { result: creationResults },
  },
  grantDeletions: {
    type: "counter",
    name: "knockgate_grant_deletions_total",
    help: "KnockGrants that this agent deleted, by cause.",
    labels: { cause: deletionCauses },
  },
  replicationsWaiting: {
    type: "gauge",
    name: "knockgate_grant_replications_waiting",
    help: "KnockGrants that are still to be created or deleted; they wait while the Kubernetes API cannot be reached.",
    labels: {},
  },
  watchRestarts: {
    type: "counter",
    name: "knockgate_watch_restarts_total",
    help: "Times that a list or watch of the Kubernetes API began anew, by cause; `ended` is the usual one.",
    labels: { resource: watchedResources, cause: restartCauses },
  },
  watches: {
    type: "gauge",
    name: "knockgate_watches",
    help: "Watches of the Kubernetes API, by state. While one is failing the agent goes on with what it knows.",
    labels: { resource: watchedResources, state: watchStates },
  },
  watchHandlerFailures: {
    type: "counter",
    name: "knockgate_watch_handler_failures_total",
    help: "Changes seen by a watch that the agent failed to take up: a defect.",
    labels: { resource: watchedResources },
  },
  logLinesDropped: {
    type: "counter",
    name: "knockgate_log_lines_dropped_total",
    help: "Log lines thrown away because standard output was too slow or closed.",
    labels: {},
  },
  httpConnectionsDropped: {
    type: "counter",
    name: "knockgate_http_connections_dropped_total",
    help: "Connections of the HTTP port that were ended to make room for newer ones.",
    labels: {},
  },
  watchEventsDropped: {
    type: "counter",
    name: "knockgate_watch_events_dropped_total",
    help: "Events that `knockgate watch` did not show because there were too many.",
    labels: {},
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricKey = keyof typeof metricTable;
