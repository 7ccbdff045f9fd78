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

/** A group of alerts; `test/monitoring/rules` has a file for each, of its name without `knockgate-`. */
export interface AlertGroup {
  readonly name: string;
  readonly rules: readonly AlertRule[];
}

/** The alerts as the chart and everybody else gets them. */
export function alertGroups(): readonly AlertGroup[] {
  return (parse(readFileSync(alertsFile, "utf8")) as { groups: AlertGroup[] }).groups;
}

/** All alerts, without their groups. */
export function alertRules(): readonly AlertRule[] {
  return alertGroups().flatMap(({ rules }) => rules);
}
