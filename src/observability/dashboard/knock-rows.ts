import { chosen, type DashboardRow, perMinute, perSecond, quantiles } from "./panel.ts";

/** Who knocks, and what comes of it. */
export const knocksRow: DashboardRow = {
  title: "Knocks",
  panels: [
    {
      title: "Knocks by outcome",
      help: "Advanced and completed are people who know the steps; reset is who begins and errs: many of them are somebody who guesses. Ignored is scanners.",
      kind: "lines",
      unit: "cps",
      width: 6,
      queries: [{ expr: perSecond("knockgate_knocks_total", "outcome"), legend: "{{outcome}}" }],
    },
    {
      title: "Knocks by family and protocol",
      help: "Every packet to a watched port of this host.",
      kind: "lines",
      unit: "cps",
      width: 6,
      queries: [{ expr: perSecond("knockgate_knocks_total", "family, protocol"), legend: "{{family}} {{protocol}}" }],
    },
    {
      title: "Sources followed",
      help: "Sources whose progress is remembered. Forged addresses drive it up.",
      kind: "lines",
      unit: "none",
      width: 6,
      queries: [{ expr: `sum by (instance) (knockgate_tracked_sources{${chosen}})`, legend: "{{instance}}" }],
    },
    {
      title: "Room for sources",
      help: "How much is used, and what is thrown away. First steps may fill half of it; then, and at 100 %, the progress of some source is thrown away for that of another.",
      kind: "lines",
      unit: "percentunit",
      width: 6,
      badFrom: 0.9,
      queries: [
        {
          expr: `max(knockgate_tracked_sources{${chosen}} / knockgate_tracked_sources_limit{${chosen}})`,
          legend: "fullest agent",
        },
        {
          expr: `sum(rate(knockgate_tracker_evictions_total{${chosen}}[$__rate_interval])) / sum(knockgate_tracked_sources_limit{${chosen}})`,
          legend: "thrown away a second",
        },
      ],
    },
  ],
};

/** What opens, and what does not although somebody knocked rightly. */
export const grantsRow: DashboardRow = {
  title: "Grants",
  panels: [
    {
      title: "Grants by result",
      help: "Failed: the kernel did not take it. Refused: a rule or a bound; why is beside this.",
      kind: "lines",
      unit: "cpm",
      width: 8,
      queries: [{ expr: perMinute("knockgate_grants_total", "result"), legend: "{{result}}" }],
    },
    {
      title: "Grants refused, by reason",
      help: "Each has a record in the audit log.",
      kind: "lines",
      unit: "cpm",
      width: 8,
      queries: [{ expr: perMinute("knockgate_grants_refused_total", "reason"), legend: "{{reason}}" }],
    },
    {
      title: "From last knock to open door",
      help: "From the time stamp of the packet to the commit in the kernel; a gap where no door was opened.",
      kind: "lines",
      unit: "s",
      width: 8,
      badFrom: 0.25,
      queries: quantiles("knockgate_knock_to_grant_seconds"),
    },
    {
      title: "Open doors by policy",
      help: "Grants open now, one a source and port.",
      kind: "lines",
      unit: "none",
      width: 8,
      queries: [{ expr: `sum by (policy) (knockgate_grants_active{${chosen}})`, legend: "{{policy}}" }],
    },
    {
      title: "Commands by result",
      help: "Of policies with commands. What did not end well may have left a door open.",
      kind: "lines",
      unit: "cpm",
      width: 8,
      queries: [{ expr: perMinute("knockgate_commands_total", "result"), legend: "{{result}}" }],
    },
    {
      title: "Doors on every node",
      help: "KnockGrants made for knocks of a node, deleted, and still waiting for the Kubernetes API.",
      kind: "lines",
      unit: "none",
      width: 8,
      queries: [
        { expr: perMinute("knockgate_grant_replications_total", "result"), legend: "{{result}} a minute" },
        { expr: perMinute("knockgate_grant_deletions_total", "cause"), legend: "deleted, {{cause}}, a minute" },
        { expr: `sum(knockgate_grant_replications_waiting{${chosen}})`, legend: "waiting" },
      ],
    },
  ],
};
