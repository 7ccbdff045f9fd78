import { type LabelValues, type MetricSpec, metricTable } from "./metric-table.ts";

/** The page docs/reference/metrics.md, from the table of metrics. */
export function metricsPage(): string {
  return `# Metrics

Served at \`/metrics\` in Prometheus' text format. A series whose labels are closed lists is there from the start, at zero. A source
address or a step is never a label. The usual \`process_*\` and \`nodejs_*\` metrics, with the lag of the event loop, come on top.

${Object.values<MetricSpec>(metricTable).map(section).join("\n")}`;
}

function section(spec: MetricSpec): string {
  const labels = Object.entries(spec.labels).map(([name, values]) => `| \`${name}\` | ${labelText(values)} |\n`);
  const table = labels.length === 0 ? "" : `\n| label | values |\n|---|---|\n${labels.join("")}`;
  const buckets = spec.buckets === undefined ? "" : `\nBuckets: ${spec.buckets.join(", ")}.\n`;
  return `## ${spec.name}\n\n${spec.help} A ${spec.type}.\n${table}${buckets}`;
}

function labelText(values: LabelValues): string {
  return typeof values === "string" ? values : values.map((value) => `\`${value}\``).join(", ");
}
