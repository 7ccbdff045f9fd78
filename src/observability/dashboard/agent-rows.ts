import { chosen, type DashboardRow } from "./panel.ts";

/** What the agent works by. */
export const configRow: DashboardRow = {
  title: "Configuration",
  panels: [
    {
      title: "Policies",
      help: "Rejected ones open no door; the log and `knockgate check` say why.",
      kind: "lines",
      unit: "none",
      width: 6,
      queries: [
        {
          expr: `sum by (instance, state) (knockgate_config_policies{${chosen}})`,
          legend: "{{instance}} {{state}}",
        },
        { expr: `sum(knockgate_one_time_exhausted{${chosen}})`, legend: "used up" },
      ],
    },
    {
      title: "Kept current",
      help: "Last snapshot: the newest configuration was taken into force. Boot table: the next boot would load what is in force now.",
      kind: "states",
      unit: "none",
      width: 6,
      queries: [
        {
          expr: `min by (instance) (knockgate_config_last_reload_successful{${chosen}})`,
          legend: "{{instance}} last snapshot",
        },
        { expr: `min by (instance) (knockgate_boot_table_kept{${chosen}})`, legend: "{{instance}} boot table" },
      ],
    },
    {
      title: "Since the last configuration",
      help: "Since one was last taken into force: it falls to zero with each change. A change that does not show here was not taken.",
      kind: "lines",
      unit: "s",
      width: 6,
      queries: [
        { expr: `time() - knockgate_config_last_reload_success_timestamp_seconds{${chosen}}`, legend: "{{instance}}" },
      ],
    },
    {
      title: "Watches of the Kubernetes API",
      help: "While one is failing the agent goes on with what it knows. All at zero where the API is not used.",
      kind: "lines",
      unit: "none",
      width: 6,
      queries: [
        { expr: `sum by (state) (knockgate_watches{${chosen}})`, legend: "{{state}}" },
        {
          expr: `sum(rate(knockgate_watch_restarts_total{cause!="ended",${chosen}}[$__rate_interval])) * 60`,
          legend: "faults a minute",
        },
      ],
    },
  ],
};

/** What the agent uses. */
export const processRow: DashboardRow = {
  title: "Process",
  panels: [
    {
      title: "Processor",
      help: "Of the agent; the capture child has its own.",
      kind: "lines",
      unit: "percentunit",
      width: 6,
      queries: [
        {
          expr: `rate(process_cpu_seconds_total{${chosen}}[$__rate_interval]) and on (job, instance) knockgate_build_info`,
          legend: "{{instance}}",
        },
      ],
    },
    {
      title: "Memory",
      help: "Resident, of the agent.",
      kind: "lines",
      unit: "bytes",
      width: 6,
      queries: [
        {
          expr: `process_resident_memory_bytes{${chosen}} and on (job, instance) knockgate_build_info`,
          legend: "{{instance}}",
        },
      ],
    },
    {
      title: "Lag of the event loop",
      help: "How late it was at worst since the last scrape. Looked at once a second.",
      kind: "lines",
      unit: "s",
      width: 6,
      badFrom: 0.1,
      queries: [
        {
          expr: `knockgate_event_loop_lag_seconds{${chosen}}`,
          legend: "{{instance}}",
        },
      ],
    },
    {
      title: "Thrown away",
      help: "Log lines that nobody read in time, connections of the HTTP port ended for newer ones, events that `knockgate watch` did not show.",
      kind: "lines",
      unit: "cpm",
      width: 6,
      queries: [
        { expr: `sum(rate(knockgate_log_lines_dropped_total{${chosen}}[$__rate_interval])) * 60`, legend: "log lines" },
        {
          expr: `sum(rate(knockgate_http_connections_dropped_total{${chosen}}[$__rate_interval])) * 60`,
          legend: "connections",
        },
        { expr: `sum(rate(knockgate_watch_events_dropped_total{${chosen}}[$__rate_interval])) * 60`, legend: "events" },
      ],
    },
  ],
};
