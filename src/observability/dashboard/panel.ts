/** One query of a panel; the legend names each series by its labels, as Grafana writes them. */
export interface DashboardQuery {
  readonly expr: string;
  readonly legend: string;
}

/** What a panel shows: one number, lines, bars of states over time, or one row a series. */
export type PanelKind = "stat" | "lines" | "states" | "table";

/** One panel. */
export interface DashboardPanel {
  readonly title: string;
  /** What to read from it; a sentence for whoever is on call. */
  readonly help: string;
  readonly kind: PanelKind;
  /** A unit of Grafana: `s`, `bytes`, `pps` (packets a second), `cps` and `cpm` (so many a second, a minute), `percentunit`, `none`. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly DashboardQuery[];
  /** When it rightly shows nothing; a panel without this always shows something where an agent runs. */
  readonly emptyWhen?: string;
  /** From which value on it is bad, where one can say so. A state is bad at 0 unless this is 1. */
  readonly badFrom?: number;
}

/** A row of panels, under a title. */
export interface DashboardRow {
  readonly title: string;
  readonly panels: readonly DashboardPanel[];
}

/** The nodes chosen at the top of the dashboard. */
export const chosen = 'instance=~"$node"';

/** So many a second of a counter, summed by its labels. */
export function perSecond(metric: string, by: string, labels = ""): string {
  return `sum by (${by}) (rate(${metric}{${labels}${chosen}}[$__rate_interval]))`;
}

/** The same a minute, for what is rare. */
export function perMinute(metric: string, by: string, labels = ""): string {
  return `60 * ${perSecond(metric, by, labels)}`;
}

/** Quantiles of a histogram, one line each. */
export function quantiles(metric: string, labels = ""): DashboardQuery[] {
  return [0.5, 0.9, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, ${perSecond(`${metric}_bucket`, "le", labels)})`,
    legend: `${quantile * 100} %`,
  }));
}
