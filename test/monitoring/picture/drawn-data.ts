import type { DrawnPanel } from "../dashboard-panels.ts";
import type { Series } from "../prometheus-server.ts";

/** The time that is drawn. */
export interface Span {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly stepSeconds: number;
}

/** A series under its name in the legend. */
export interface DrawnSeries extends Pick<Series, "labels" | "points"> {
  readonly name: string;
}

/** A panel and what Prometheus answered to its queries. */
export interface PanelData {
  readonly panel: DrawnPanel;
  readonly series: readonly DrawnSeries[];
}

/** The name of a series, as Grafana makes it from a legend's format. */
export function legendName(format: string, labels: Series["labels"]): string {
  return format.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "").trim();
}
