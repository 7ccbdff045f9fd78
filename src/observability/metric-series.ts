import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type MetricKey, type MetricSpec, metricTable } from "./metric-table.ts";

/** Keys of the table whose metric is of one type. */
export type KeyOf<Type extends MetricSpec["type"]> = {
  [Key in MetricKey]: (typeof metricTable)[Key]["type"] extends Type ? Key : never;
}[MetricKey];

/** One prom-client metric for each row of the table. */
export interface MetricSeries {
  readonly counter: Readonly<Record<KeyOf<"counter">, Counter>>;
  readonly gauge: Readonly<Record<KeyOf<"gauge">, Gauge>>;
  readonly histogram: Readonly<Record<KeyOf<"histogram">, Histogram>>;
}

/**
 * Makes every metric of the table in the registry, with all series of closed labels at zero: a rate over a series that
 * appears with its first event misses that event.
 */
export function createSeries(registry: Registry): MetricSeries {
  const made: Record<MetricSpec["type"], Record<string, Counter | Gauge | Histogram>> = {
    counter: {},
    gauge: {},
    histogram: {},
  };
  for (const [key, spec] of Object.entries<MetricSpec>(metricTable))
    made[spec.type][key] = createMetric(registry, spec);
  return made as unknown as MetricSeries;
}

function createMetric(registry: Registry, spec: MetricSpec): Counter | Gauge | Histogram {
  const config = { name: spec.name, help: spec.help, labelNames: Object.keys(spec.labels), registers: [registry] };
  const known = closedCombinations(spec);
  if (spec.type === "histogram") {
    const histogram = new Histogram({ ...config, buckets: [...(spec.buckets ?? [])] });
    for (const labels of known) histogram.zero(labels);
    return histogram;
  }
  const metric = spec.type === "counter" ? new Counter(config) : new Gauge(config);
  for (const labels of known) metric.inc(labels, 0);
  return metric;
}

/** Every combination of labels whose values are a closed list; none where a label is open or there is no label. */
export function closedCombinations(spec: MetricSpec): Record<string, string>[] {
  const names = Object.entries(spec.labels);
  if (names.length === 0) return [];
  let combinations: Record<string, string>[] = [{}];
  for (const [name, values] of names) {
    if (typeof values === "string") return [];
    combinations = combinations.flatMap((labels) => values.map((value) => ({ ...labels, [name]: value })));
  }
  return combinations;
}
