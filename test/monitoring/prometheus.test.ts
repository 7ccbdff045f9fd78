import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../netns/eventually.ts";
import { runToEnd } from "../netns/running-process.ts";
import { type AlertRule, alertRules } from "./alert-rules.ts";
import { dashboardPanels, filledIn } from "./dashboard-panels.ts";
import { selectorsOf } from "./selectors.ts";
import { WatchedNodes } from "./watched-nodes.ts";

const spans = { rateInterval: "60s", range: "5m" };
const patience = { timeoutMs: 20_000, everyMs: 250 };

/** Selectors of alerts that find nothing here, and why. */
const absentHere: Readonly<Record<string, string>> = {
  kube_daemonset_status_desired_number_scheduled: "kube-state-metrics has it, and there is no Kubernetes here",
  kube_daemonset_status_number_ready: "the same",
};

/** Alerts that may fire on a busy machine though all is well: they measure the machine. */
const machineBound: readonly string[] = ["KnockgateEventLoopLag", "KnockgateGrantSlow"];

let nodes: WatchedNodes;

beforeAll(async () => {
  nodes = await WatchedNodes.build();
}, 60_000);

afterAll(async () => {
  await nodes?.remove();
});

/** The value of the only series of a query; undefined where there is none. */
async function numberNow(expr: string): Promise<number | undefined> {
  return (await nodes.prometheus.query(expr))[0]?.points[0]?.[1];
}

/** Resolves when a query answers a number above zero. */
async function seen(expr: string): Promise<void> {
  await eventually(async () => ((await numberNow(expr)) ?? 0) > 0, { what: expr, ...patience });
}

async function conditionHolds({ expr }: AlertRule): Promise<boolean> {
  return (await nodes.prometheus.query(expr)).length > 0;
}

test("promtool finds nothing wrong with what a real agent serves", async () => {
  for (const agent of [nodes.north, nodes.south]) {
    const { body: input } = await agent.http("/metrics");
    const { code, stdout, stderr } = await runToEnd("promtool", ["check", "metrics"], { input });
    expect(stdout + stderr).toBe("");
    expect(code).toBe(0);
    expect(input).toContain("knockgate_build_info{");
  }
});

test("Prometheus scrapes both agents, and while all is well no alert's condition holds", async () => {
  await eventually(async () => (await numberNow("count(up == 1)")) === 2, { what: "both targets", ...patience });
  await seen("count(knockgate_config_last_reload_successful == 1) == 2");
  const holding: string[] = [];
  for (const rule of alertRules()) if (await conditionHolds(rule)) holding.push(rule.alert);
  expect(holding.filter((alert) => !machineBound.includes(alert))).toEqual([]);
});

describe("while real knocks happen", () => {
  beforeAll(async () => {
    // A rate is seen only between two scrapes, and one of before the first knock was made above.
    await nodes.knock("north", "ssh");
    await nodes.knock("south", "admin", "ipv6");
    await nodes.knock("south", "backup");
    await nodes.err("north", "ssh");
    await nodes.flood("north", "scan", 300, 300);
    await nodes.dawdle("north", "ssh", nodes.tryDoor("south", 22, 2100));
    await seen('sum(increase(knockgate_grants_total{result="added",instance="south"}[1m]))');
  }, 30_000);

  test.each([
    'sum(increase(knockgate_guarded_dropped_packets_total{instance="south"}[1m]))',
    'sum(increase(knockgate_guarded_dropped_packets_total{instance="north"}[1m]))',
    'sum(increase(knockgate_knocks_total{outcome="completed",family="ipv6"}[1m]))',
    'sum(increase(knockgate_knocks_total{outcome="reset"}[1m]))',
    'sum(increase(knockgate_knocks_total{outcome="expired"}[1m]))',
    'sum(increase(knockgate_capture_packets_total{instance="north",interface="eth0"}[1m]))',
    'sum(increase(knockgate_commands_total{result="done"}[1m]))',
  ])("they are seen: %s", async (expr) => {
    await seen(expr);
  });

  const queries = dashboardPanels().flatMap(({ title, description, targets }) =>
    (targets ?? []).map(({ expr }) => ({ title, expr, mayBeEmpty: description?.includes("Empty when ") === true })),
  );
  test.each(queries)("the panel $title shows something: $expr", async ({ expr, mayBeEmpty }) => {
    const answer = await nodes.prometheus.query(filledIn(expr, spans));
    const numbers = answer.filter(({ points: [point] }) => point !== undefined && !Number.isNaN(point[1]));
    if (!mayBeEmpty) expect(numbers.length).toBeGreaterThan(0);
  });

  const selectors = alertRules().flatMap(({ alert, expr }) =>
    selectorsOf(expr).map(({ metric, text }) => ({ alert, metric, text })),
  );
  test.each(selectors)("$alert looks at something that is there: $text", async ({ metric, text }) => {
    const answer = await nodes.prometheus.query(text);
    if (absentHere[metric] === undefined) expect(answer.length).toBeGreaterThan(0);
    else expect(answer).toEqual([]);
  });
});

describe("when something goes wrong, the alert's condition holds", () => {
  const faults: readonly { alert: string; what: string; make: () => Promise<void> | void }[] = [
    { alert: "ConfigRejected", what: "a policy is rejected", make: () => nodes.reject(true) },
    { alert: "ConfigStale", what: "a policy file cannot be read", make: () => nodes.garble(true) },
    { alert: "NftablesDrift", what: "somebody deletes the table", make: () => nodes.deleteTable() },
    { alert: "GrantsRefused", what: "an unwelcome address knocks", make: () => nodes.knockUnwelcome("north", "ssh") },
    { alert: "GrantsNearLimit", what: "four of four doors are open", make: openAll },
    { alert: "CommandsFailing", what: "a closing command fails", make: () => nodes.knock("south", "backup") },
    { alert: "TrackerFull", what: "a flood of first steps", make: () => nodes.flood("south", "guess", 1500, 1500) },
    { alert: "BruteForceSuspected", what: "a flood of guesses", make: () => nodes.flood("north", "guess", 6000, 3000) },
    { alert: "CaptureDown", what: "a link to be tapped is gone", make: () => nodes.spare("lose") },
    { alert: "AgentMissingOnNode", what: "an agent is killed", make: async () => void (await nodes.north.kill()) },
  ];

  test.each(faults)("$alert: $what", async ({ alert, make }) => {
    const rule = alertRules().find((each) => each.alert === `Knockgate${alert}`);
    if (rule === undefined) throw new Error(`there is no alert ${alert}`);
    await make();
    await eventually(() => conditionHolds(rule), { what: rule.expr, ...patience });
    const isActive = async () =>
      (await nodes.prometheus.alerts()).find(({ labels }) => labels.alertname === rule.alert);
    const active = await eventually(isActive, { what: `${rule.alert} to be pending`, ...patience });
    for (const text of Object.values(active.annotations)) expect(text).not.toMatch(/\{\{|<no value>|<error|%!/);
    expect(active.annotations.summary).toMatch(/north|south|bastion|\d/);
  });
});

/** The south holds four grants at most: these are five, the last of which is refused. */
async function openAll(): Promise<void> {
  await nodes.knock("south", "admin");
  await nodes.knock("south", "ssh");
  await nodes.knock("south", "admin", "ipv6");
}
