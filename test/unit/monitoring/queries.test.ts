import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type MetricSpec, metricTable } from "../../../src/observability/metric-table.ts";
import { alertRules } from "../../monitoring/alert-rules.ts";
import { dashboardPanels } from "../../monitoring/dashboard-panels.ts";
import { type Selector, selectorsOf } from "../../monitoring/selectors.ts";

const queries = [
  ...alertRules().map(({ alert, expr }) => ({ name: alert, expr })),
  ...dashboardPanels().flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => ({ name: title, expr }))),
];
const specs = new Map<string, MetricSpec>(Object.values<MetricSpec>(metricTable).map((spec) => [spec.name, spec]));

/** Labels that are there without the agent: of the target, and of a histogram. */
const others = new Set(["instance", "le"]);

/** What is wrong with a selector, by the table of metrics. */
function faultsOf({ metric, matchers, text }: Selector): string[] {
  if (!metric.startsWith("knockgate_")) return [];
  const spec = specs.get(metric) ?? specs.get(metric.replace(/_(bucket|sum|count)$/, ""));
  if (spec === undefined) return [`${text}: there is no such metric`];
  return matchers.flatMap(([label, , values]) => {
    if (others.has(label)) return [];
    const known = spec.labels[label];
    if (known === undefined) return [`${text}: it has no label ${label}`];
    if (typeof known === "string") return [];
    return values.split("|").flatMap((value) => (known.includes(value) ? [] : [`${text}: ${label} is never ${value}`]));
  });
}

describe("every query of dashboard and alerts", () => {
  test.each(queries)("$name asks for metrics, labels and values that exist: $expr", ({ expr }) => {
    const selectors = selectorsOf(expr);
    expect(selectors.length).toBeGreaterThan(0);
    expect(selectors.flatMap(faultsOf)).toEqual([]);
  });

  test.each(dashboardPanels().flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => ({ title, expr }))))(
    "$title follows the choice of nodes: $expr",
    ({ expr }) => {
      const free = selectorsOf(expr).filter(({ matchers }) => !matchers.some(([label]) => label === "instance"));
      expect(free.filter(({ text }) => text !== "knockgate_build_info")).toEqual([]);
    },
  );

  test("together they show every metric of the table", () => {
    const shown = new Set(queries.flatMap(({ expr }) => selectorsOf(expr).map(({ metric }) => metric)));
    const hidden = [...specs.keys()].filter((name) => !shown.has(name) && !shown.has(`${name}_bucket`));
    expect(hidden).toEqual([]);
  });

  test("a wrong name, label or value would be found", () => {
    const wrong = 'rate(knockgate_knocks{a="b"}[5m]) + knockgate_mode{stage="x"} + knockgate_mode{mode=~"enforce|off"}';
    expect(selectorsOf(wrong).flatMap(faultsOf)).toHaveLength(3);
  });
});

describe("the runbooks", () => {
  const page = readFileSync(new URL("../../../docs/monitoring.md", import.meta.url), "utf8");

  test.each(alertRules())("$alert has one, linked, and a severity, a summary and a description", (rule) => {
    const { alert, labels, annotations } = rule;
    expect(page).toMatch(new RegExp(`^### ${alert}\\n\\n\\S[^]*?\\n1\\. `, "m"));
    expect(page).toContain(`| [\`${alert}\`](#${alert.toLowerCase()}) | ${labels.severity} |`);
    expect(annotations.runbook_url).toMatch(new RegExp(`/docs/monitoring\\.md#${alert.toLowerCase()}$`));
    expect(labels.severity).toMatch(/^(critical|warning|info)$/);
    expect(rule.for).toMatch(/^\d+[mhd]$/);
    for (const text of [annotations.summary, annotations.description]) expect(text).toMatch(/^.{20,}\.$/s);
  });

  test("are for alerts that exist", () => {
    const sections = [...page.matchAll(/^### (\S+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(alertRules().map(({ alert }) => alert));
  });
});
