import { configRow, processRow } from "./agent-rows.ts";
import { kernelRow } from "./kernel-row.ts";
import { grantsRow, knocksRow } from "./knock-rows.ts";
import type { DashboardPanel, DashboardRow, PanelKind } from "./panel.ts";
import { workingRow } from "./working-row.ts";

/** From what matters first to what explains it. */
const rows: readonly DashboardRow[] = [workingRow, knocksRow, grantsRow, kernelRow, configRow, processRow];

/** What of Grafana's model of a dashboard is written; source: Grafana's "Dashboard JSON model", schema version 39 (Grafana 10.4 and later). */
type GrafanaObject = Readonly<Record<string, unknown>>;

const columns = 24;
const heights = { stat: 4, lines: 8, states: 8, table: 5 } as const;
const datasource = { type: "prometheus", uid: "$datasource" };

/** The file of the dashboard for Grafana, from the table of its rows. */
export function dashboardFile(): string {
  const dashboard = {
    uid: "knockgate",
    title: "Knockgate",
    description: "Port knocking: is it working, who knocks, what opens, what the kernel drops.",
    tags: ["knockgate"],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1, // one cross-hair over all panels
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    timezone: "",
    templating: { list: variables() },
    annotations: { list: [] },
    panels: placed(),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

/** Which Prometheus, and which nodes: an instance is a target of the scrape, which the chart names after its node. */
function variables(): GrafanaObject[] {
  const everything = { selected: true, text: "All", value: "$__all" };
  const query = "label_values(knockgate_build_info, instance)";
  return [
    { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", refresh: 1, hide: 0 },
    {
      name: "node",
      label: "Node",
      type: "query",
      datasource,
      definition: query,
      query: { query, refId: "node" },
      refresh: 2,
      sort: 1,
      multi: true,
      includeAll: true,
      allValue: ".+",
      current: everything,
      hide: 0,
    },
  ];
}

/** Panels from left to right, and a new line where one would not fit. */
function placed(): GrafanaObject[] {
  const panels: GrafanaObject[] = [];
  let y = 0;
  for (const { title, panels: content } of rows) {
    const gridPos = { x: 0, y: y++, w: columns, h: 1 };
    panels.push({ id: panels.length + 1, type: "row", title, collapsed: false, gridPos, panels: [] });
    for (const line of linesOf(content)) {
      let x = 0;
      for (const panel of line) {
        const place = { x, y, w: panel.width, h: heights[panel.kind] };
        panels.push({ id: panels.length + 1, gridPos: place, ...grafanaPanel(panel) });
        x += panel.width;
      }
      y += Math.max(...line.map(({ kind }) => heights[kind]));
    }
  }
  return panels;
}

function linesOf(panels: readonly DashboardPanel[]): DashboardPanel[][] {
  const lines: DashboardPanel[][] = [];
  let free = 0;
  for (const panel of panels) {
    if (panel.width > free) {
      lines.push([]);
      free = columns;
    }
    lines.at(-1)?.push(panel);
    free -= panel.width;
  }
  return lines;
}

function grafanaPanel(panel: DashboardPanel): GrafanaObject {
  const { title, help, kind, emptyWhen, unit } = panel;
  const { type, custom, options, transformations } = shapes[kind];
  const mappings = kind === "states" ? [stateMapping(panel)] : [];
  return {
    title,
    description: emptyWhen === undefined ? help : `${help} Empty when ${emptyWhen}.`,
    type,
    datasource,
    targets: targets(panel),
    fieldConfig: {
      defaults: { unit, min: 0, custom, mappings, thresholds: { mode: "absolute", steps: steps(panel) } },
      overrides: [],
    },
    options,
    ...(transformations !== undefined && { transformations }),
  };
}

function steps({ kind, badFrom }: DashboardPanel): GrafanaObject[] {
  if (kind === "lines") return [{ color: "green", value: null }];
  const good = { color: "green", value: null };
  return badFrom === undefined ? [good] : [good, { color: "red", value: badFrom }];
}

function stateMapping({ badFrom }: DashboardPanel): GrafanaObject {
  const [zero, one] = badFrom === 1 ? ["green", "red"] : ["red", "green"];
  const options = { 0: { text: "no", color: zero, index: 0 }, 1: { text: "yes", color: one, index: 1 } };
  return { type: "value", options };
}

function targets({ kind, queries }: DashboardPanel): GrafanaObject[] {
  const instant = kind === "stat" || kind === "table";
  return queries.map(({ expr, legend }, at) => ({
    refId: String.fromCharCode(65 + at),
    datasource,
    expr,
    legendFormat: legend,
    instant,
    range: !instant,
    ...(kind === "table" && { format: "table" }),
  }));
}

interface GrafanaShape {
  readonly type: string;
  readonly custom: GrafanaObject;
  readonly options: GrafanaObject;
  readonly transformations?: readonly GrafanaObject[];
}

/** How Grafana draws each kind. */
const shapes: Readonly<Record<PanelKind, GrafanaShape>> = {
  stat: {
    type: "stat",
    custom: {},
    options: {
      colorMode: "value",
      graphMode: "none",
      textMode: "auto",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    },
  },
  lines: {
    type: "timeseries",
    custom: { drawStyle: "line", lineWidth: 1, fillOpacity: 10, showPoints: "auto", spanNulls: false },
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
  },
  states: {
    type: "state-timeline",
    custom: { lineWidth: 0, fillOpacity: 70 },
    options: { mergeValues: true, showValue: "never", rowHeight: 0.8, legend: { showLegend: false } },
  },
  table: {
    type: "table",
    custom: {},
    options: { showHeader: true },
    transformations: [{ id: "organize", options: { excludeByName: { Time: true, Value: true, __name__: true } } }],
  },
};
