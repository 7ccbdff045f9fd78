import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** Where the alerts are. */
export const alertsFile = fileURLToPath(new URL("../../helm/knockgate/rules/alerts.yaml", import.meta.url));

/** One alert, as Prometheus reads it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The alerts of all groups, as the chart and everybody else gets them. */
export function alertRules(): readonly AlertRule[] {
  const { groups } = parse(readFileSync(alertsFile, "utf8")) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}
