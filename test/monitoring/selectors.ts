/** One selector of a query, such as `knockgate_stage_ready{stage="capture"}`. */
export interface Selector {
  readonly metric: string;
  /** Label, operator and value, of each matcher. */
  readonly matchers: readonly (readonly [label: string, operator: string, value: string])[];
  /** As it is written, without a range. */
  readonly text: string;
}

const metricPattern = /(?<![\w"$%])((?:knockgate|nodejs|process|kube)_[a-z0-9_]+|up|ALERTS)(?![\w"(])(?:\{([^}]*)\})?/g;

/** The selectors of a PromQL query, found by the names of metrics that Knockgate's queries use; labels in `by` and `on` are none. */
export function selectorsOf(expr: string): Selector[] {
  return [...expr.matchAll(metricPattern)].map(([text, metric = "", inside = ""]) => ({
    metric,
    text,
    matchers: [...inside.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
      ([, label = "", operator = "", value = ""]) => [label, operator, value] as const,
    ),
  }));
}
