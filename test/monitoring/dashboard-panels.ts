import { readFileSync } from "node:fs";

/** One panel of the dashboard, as far as tests and the picture need it. */
export interface DrawnPanel {
  readonly title: string;
  readonly description?: string;
  readonly type: "row" | "stat" | "timeseries" | "state-timeline" | "table";
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly instant: boolean }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit: string;
      readonly mappings: readonly { readonly options: Readonly<Record<string, { readonly color: string }>> }[];
    };
  };
}

/** The panels of the dashboard that users get, rows among them. */
export function dashboardPanels(): readonly DrawnPanel[] {
  const file = new URL("../../helm/knockgate/dashboards/knockgate.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { panels: DrawnPanel[] }).panels;
}

/** A query with Grafana's variables filled in: all nodes, and time spans in PromQL's words. */
export function filledIn(expr: string, spans: { readonly rateInterval: string; readonly range: string }): string {
  return expr
    .replaceAll("$__rate_interval", spans.rateInterval)
    .replaceAll("$__range", spans.range)
    .replaceAll("$node", ".+");
}
