import { chosen, type DashboardRow } from "./panel.ts";

/** What to look at first. */
export const workingRow: DashboardRow = {
  title: "Is it working",
  panels: [
    {
      title: "Agents",
      help: "How many agents have every stage working, and how many answer at all. One that does not answer shows in the alerts.",
      kind: "stat",
      unit: "none",
      width: 4,
      queries: [
        { expr: `sum(min by (job, instance) (knockgate_stage_ready{${chosen}}))`, legend: "ready" },
        { expr: `count(knockgate_build_info{${chosen}})`, legend: "answer" },
      ],
    },
    {
      title: "Agents that enforce",
      help: "The others observe: they count what they would drop, and close nothing.",
      kind: "stat",
      unit: "none",
      width: 4,
      queries: [{ expr: `sum(knockgate_mode{mode="enforce",${chosen}})`, legend: "enforce" }],
    },
    {
      title: "Open doors",
      help: "Grants open now, one a source and port.",
      kind: "stat",
      unit: "none",
      width: 4,
      queries: [{ expr: `sum(knockgate_grants_active{${chosen}})`, legend: "open" }],
    },
    {
      title: "Doors opened",
      help: "Grants added or renewed in the time shown.",
      kind: "stat",
      unit: "none",
      width: 4,
      queries: [
        {
          expr: `round(sum(increase(knockgate_grants_total{result=~"added|renewed",${chosen}}[$__range])))`,
          legend: "opened",
        },
      ],
    },
    {
      title: "Packets kept out",
      help: "Packets of strangers to guarded ports in the time shown: dropped, or in observe only counted.",
      kind: "stat",
      unit: "short",
      width: 4,
      queries: [
        {
          expr: `round(sum(increase(knockgate_guarded_dropped_packets_total{${chosen}}[$__range])))`,
          legend: "packets",
        },
      ],
    },
    {
      title: "Knock to door, 99 %",
      help: "From the last knock to the open door, in the time shown; no number where no door was opened. 50 ms is what should be.",
      kind: "stat",
      unit: "s",
      width: 4,
      badFrom: 0.25,
      queries: [
        {
          expr: `histogram_quantile(0.99, sum by (le) (increase(knockgate_knock_to_grant_seconds_bucket{${chosen}}[$__range])))`,
          legend: "99 %",
        },
      ],
    },
    {
      title: "Stages",
      help: "Each has to work for an agent to be ready. Why one does not is in its /readyz.",
      kind: "states",
      unit: "none",
      width: 8,
      queries: [
        { expr: `min by (instance, stage) (knockgate_stage_ready{${chosen}})`, legend: "{{instance}} {{stage}}" },
      ],
    },
    {
      title: "Interfaces tapped",
      help: "Where knocks are seen. One that was lost or is waited for is bad.",
      kind: "states",
      unit: "none",
      width: 8,
      queries: [
        {
          expr: `min by (instance, interface) (knockgate_capture_up{${chosen}})`,
          legend: "{{instance}} {{interface}}",
        },
      ],
    },
    {
      title: "Firing alerts",
      help: "What each means, and what to do: docs/monitoring.md.",
      kind: "states",
      unit: "none",
      width: 8,
      badFrom: 1,
      emptyWhen: "nothing fires",
      queries: [
        {
          expr: `max by (alertname, instance) (ALERTS{alertname=~"Knockgate.+",alertstate="firing",instance=~"$node|"})`,
          legend: "{{alertname}} {{instance}}",
        },
      ],
    },
    {
      title: "What is running",
      help: "Version, mode, and the libraries below.",
      kind: "table",
      unit: "none",
      width: 24,
      queries: [
        {
          expr: `knockgate_build_info{${chosen}} * on (job, instance) group_left (mode) (knockgate_mode{${chosen}} == 1)`,
          legend: "{{instance}}",
        },
      ],
    },
  ],
};
