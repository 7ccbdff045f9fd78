import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { chartFolder, find, render, shapes, specOf } from "./chart.ts";

interface Alert {
  readonly alert?: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly expr: string;
}
interface Groups {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

const shipped = parse(readFileSync(join(chartFolder, "rules/alerts.yaml"), "utf8")) as Groups;
const alertsOf = ({ groups }: Groups) => groups.flatMap(({ rules }) => rules);

const names = alertsOf(shipped).map(({ alert = "" }) => alert);

/** The rules as they are rendered with these values. */
async function rulesOf(prometheusRule: object): Promise<Groups> {
  const objects = await render({ prometheusRule: { enabled: true, ...prometheusRule } });
  return specOf<Groups>(objects, "PrometheusRule");
}

test("monitoring is off until it is asked for", async () => {
  const objects = await render();
  expect(objects.filter(({ apiVersion }) => apiVersion.startsWith("monitoring"))).toEqual([]);
  expect(objects.filter(({ kind }) => ["ConfigMap", "Service", "NetworkPolicy"].includes(kind))).toEqual([]);
});

test("every alert is there as it was written", async () => {
  expect(alertsOf(shipped).length).toBeGreaterThan(10);
  expect(await rulesOf({})).toEqual(shipped);
});

/** Every second alert, beginning with the first or the second. */
const everySecond = (from: 0 | 1) => names.filter((_name, index) => index % 2 === from);

test.each([0, 1] as const)("each alert is switched off by its own name alone (half %i of them)", async (from) => {
  const alerts = Object.fromEntries(everySecond(from).map((name) => [name, { enabled: false }]));
  expect(alertsOf(await rulesOf({ alerts })).map(({ alert }) => alert)).toEqual(everySecond(from === 0 ? 1 : 0));
});

test("each alert takes a time and labels of its own", async () => {
  const own = (name: string) => ({ for: "42m", labels: { severity: "page", name } });
  const alerts = Object.fromEntries(names.map((name) => [name, own(name)]));
  for (const rule of alertsOf(await rulesOf({ alerts }))) expect(rule).toMatchObject(own(rule.alert ?? ""));
});

test("all alerts take labels and another place for runbooks", async () => {
  const rules = alertsOf(await rulesOf({ alertLabels: { team: "network" }, runbookUrl: "https://example.org/runs" }));
  for (const { alert = "", labels, annotations } of rules) {
    expect(labels).toMatchObject({ team: "network", severity: expect.any(String) });
    expect(annotations?.runbook_url).toBe(`https://example.org/runs#${alert.toLowerCase()}`);
  }
});

test("the dashboard is found by Grafana's sidecar, and is the file", async () => {
  const dashboard = find(await render(shapes.monitoring), "ConfigMap", "gate-knockgate-dashboard");
  expect(dashboard?.metadata).toMatchObject({
    namespace: "monitoring",
    labels: { grafana_dashboard: "1" },
    annotations: { grafana_folder: "Security" },
  });
  const file = readFileSync(join(chartFolder, "dashboards/knockgate.json"), "utf8");
  expect(dashboard?.data).toEqual({ "knockgate.json": expect.stringContaining(file.trim()) });
});

test("a PodMonitor selects the agents' pods, and no others of the chart", async () => {
  const objects = await render(shapes["default-drop"]);
  const agent = specOf<{ readonly selector: object }>(objects, "DaemonSet", "gate-knockgate");
  expect(find(objects, "PodMonitor")).toMatchObject({
    metadata: { labels: { release: "prometheus" } },
    spec: { selector: agent.selector, podMetricsEndpoints: [{ port: "http", path: "/metrics", interval: "30s" }] },
  });
});

test("a ServiceMonitor selects a headless Service that shows agents which are not ready too", async () => {
  const objects = await render(shapes.monitoring);
  const service = find(objects, "Service");
  expect(service?.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
  const { selector, endpoints } = specOf<{
    readonly selector: { readonly matchLabels: object };
    readonly endpoints: readonly object[];
  }>(objects, "ServiceMonitor");
  expect(service?.metadata.labels).toMatchObject(selector.matchLabels);
  expect(endpoints).toEqual([
    {
      port: "http",
      path: "/metrics",
      relabelings: [
        { sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "instance" },
        { sourceLabels: ["__meta_kubernetes_namespace"], targetLabel: "gate" },
      ],
    },
  ]);
});

test("a NetworkPolicy lets only those scrape who are named", async () => {
  const policy = specOf<{ readonly ingress: readonly object[] }>(await render(shapes.monitoring), "NetworkPolicy");
  expect(policy.ingress[1]).toEqual({
    from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
    ports: [{ protocol: "TCP", port: 9780 }],
  });
});
