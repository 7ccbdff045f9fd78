import { beforeEach, describe, expect, test } from "vitest";
import { Health } from "../../../src/observability/health.ts";
import { closedCombinations } from "../../../src/observability/metric-series.ts";
import { labelCaps, type MetricSpec, metricTable } from "../../../src/observability/metric-table.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { sampleKnock } from "../../fake/sample-knock.ts";

const specs = Object.values<MetricSpec>(metricTable);
const nothing = {
  trackedSources: () => 3,
  trackedSourcesLimit: () => 10,
  logLinesDropped: () => 5,
  watchEventsDropped: () => 6,
  guardedDropped: async () => 7,
};
let metrics: Metrics;

beforeEach(() => {
  metrics = new Metrics({ health: new Health(), ...nothing });
});

/** Series of the text format with their values: `name{a="b"}` to number. */
async function series(): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

describe("the table of metrics", () => {
  test.each(specs.map((spec) => [spec.name, spec] as const))("%s is named by the rules", (name, spec) => {
    expect(name).toMatch(/^knockgate_[a-z_]+$/);
    expect(name.endsWith("_total")).toBe(spec.type === "counter");
    expect(spec.help).toMatch(/\.$/);
    expect(spec.type === "histogram").toBe(spec.buckets !== undefined);
  });

  test("no label could hold a source or a step", () => {
    const names = specs.flatMap((spec) => Object.keys(spec.labels));
    expect(names.filter((name) => /(?<!re)source|address|step|port|knock/.test(name))).toEqual([]);
  });
});

describe("the metrics at start", () => {
  test("every series of closed labels is there, at zero", async () => {
    const now = await series();
    for (const spec of specs.filter(({ type }) => type !== "histogram")) {
      for (const labels of closedCombinations(spec)) {
        const found = [...now.keys()].find(
          (key) =>
            key.startsWith(`${spec.name}{`) &&
            Object.entries(labels).every(([name, value]) => key.includes(`${name}="${value}"`)),
        );
        expect(found, `${spec.name} ${JSON.stringify(labels)}`).toBeDefined();
        expect(now.get(found ?? "")).toBe(0);
      }
    }
    expect(now.get('knockgate_nftables_transaction_seconds_count{result="failed"}')).toBe(0);
    expect(now.get("knockgate_knock_to_grant_seconds_count")).toBe(0);
    expect(now.get("knockgate_nftables_drift_total")).toBe(0);
  });

  test("the process's own metrics are there, the lag of the event loop too", async () => {
    expect([...(await series()).keys()]).toContain("knockgate_event_loop_lag_seconds");
  });

  test("nothing but a counter is called a total, of the process's own metrics too", async () => {
    const types = [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    expect(types.filter(([, name = "", type]) => name.endsWith("_total") && type !== "counter")).toEqual([]);
  });
});

describe("the metrics", () => {
  test("knocks are counted by outcome, family and protocol", async () => {
    metrics.knock("advanced", sampleKnock());
    metrics.knock("advanced", sampleKnock());
    metrics.knock("reset", sampleKnock({ from: "2001:db8::7", protocol: 17 }));
    const first = await series();
    expect(first.get('knockgate_knocks_total{outcome="advanced",family="ipv4",protocol="tcp"}')).toBe(2);
    expect(first.get('knockgate_knocks_total{outcome="reset",family="ipv6",protocol="udp"}')).toBe(1);
    expect(
      [...first].filter(([key]) => key.startsWith("knockgate_knocks_total")).reduce((sum, [, n]) => sum + n, 0),
    ).toBe(3);
    const again = await series();
    expect([...again].filter(([key]) => key.startsWith("knockgate_"))).toEqual(
      [...first].filter(([key]) => key.startsWith("knockgate_")),
    );
  });

  test("numbers that others keep are asked for at the scrape", async () => {
    const now = await series();
    expect(now.get("knockgate_tracked_sources")).toBe(3);
    expect(now.get("knockgate_tracked_sources_limit")).toBe(10);
    expect(now.get("knockgate_log_lines_dropped_total")).toBe(5);
    expect(now.get("knockgate_watch_events_dropped_total")).toBe(6);
    expect(now.get("knockgate_guarded_dropped_packets_total")).toBe(7);
  });

  test("drops that the kernel has not told yet are no series: a count that begins at zero looks like a burst", async () => {
    metrics = new Metrics({ health: new Health(), ...nothing, guardedDropped: async () => undefined });
    expect((await series()).has("knockgate_guarded_dropped_packets_total")).toBe(false);
  });

  test("grants are refused by reason, and one state of the confirmation holds", async () => {
    metrics.grantRefused("set-full");
    metrics.confirmation("asked");
    metrics.confirmation("lapsed");
    const now = await series();
    expect(now.get('knockgate_grants_refused_total{reason="set-full"}')).toBe(1);
    expect(now.get('knockgate_confirmation{state="asked"}')).toBe(0);
    expect(now.get('knockgate_confirmation{state="lapsed"}')).toBe(1);
  });

  test("a policy's series come at zero with it and go with it", async () => {
    metrics.usePolicies(["bastion/ssh", "bastion/web"]);
    metrics.grant("bastion/ssh", "added");
    metrics.grantsActive("bastion/ssh", 1);
    const before = await series();
    expect(before.get('knockgate_grants_total{policy="bastion/ssh",result="added"}')).toBe(1);
    expect(before.get('knockgate_grants_total{policy="bastion/web",result="refused"}')).toBe(0);
    expect(before.get('knockgate_grants_active{policy="bastion/ssh"}')).toBe(1);
    metrics.usePolicies(["bastion/web"]);
    const after = await series();
    expect([...after.keys()].filter((key) => key.includes("bastion/ssh"))).toEqual([]);
    expect(after.get('knockgate_grants_active{policy="other"}')).toBe(1);
    metrics.grantsActive("bastion/ssh", 0);
    expect((await series()).get('knockgate_grants_active{policy="other"}')).toBe(0);
  });

  test("policies beyond the cap, and unknown ones, share one series", async () => {
    metrics.usePolicies(Array.from({ length: labelCaps.policies + 5 }, (_, at) => `default/p${at}`));
    metrics.grant(`default/p${labelCaps.policies + 1}`, "added");
    metrics.grant("unknown", "added");
    const now = await series();
    expect(now.get('knockgate_grants_total{policy="other",result="added"}')).toBe(2);
    expect([...now.keys()].filter((key) => key.startsWith("knockgate_grants_active"))).toHaveLength(
      labelCaps.policies + 1,
    );
  });

  test("an interface that went away loses its series while another is tapped", async () => {
    metrics.capturing(["eth0", "eth1"], ["wg0"]);
    metrics.packets("eth1", 7);
    expect((await series()).get('knockgate_capture_packets_total{interface="eth1"}')).toBe(7);
    metrics.capturing(["eth0"], ["wg0"]);
    const now = await series();
    expect(now.get('knockgate_capture_up{interface="eth0"}')).toBe(1);
    expect(now.get('knockgate_capture_up{interface="wg0"}')).toBe(0);
    expect([...now.keys()].filter((key) => key.includes("eth1"))).toEqual([]);
  });

  test("interfaces tapped last stay at zero when nothing is tapped", async () => {
    metrics.capturing(["eth0"], []);
    metrics.capturing([], []);
    expect((await series()).get('knockgate_capture_up{interface="eth0"}')).toBe(0);
  });

  test("build info is one series, also when a version becomes known later", async () => {
    const build = {
      version: "1.2.3",
      revision: "abc",
      nodeVersion: "20",
      libpcapVersion: "unknown",
      nftVersion: "1.0.6",
    };
    metrics.buildInfo(build);
    metrics.buildInfo({ ...build, libpcapVersion: "1.10.3" });
    const keys = [...(await series()).keys()].filter((key) => key.startsWith("knockgate_build_info"));
    expect(keys).toEqual([
      'knockgate_build_info{version="1.2.3",revision="abc",node_version="20",libpcap_version="1.10.3",nft_version="1.0.6"}',
    ]);
  });

  test("a refused snapshot makes the configuration stale, and the counts stay", async () => {
    metrics.configAccepted(3, 1, 1_700_000_000);
    metrics.configRefused();
    const now = await series();
    expect(now.get("knockgate_config_last_reload_successful")).toBe(0);
    expect(now.get("knockgate_config_last_reload_success_timestamp_seconds")).toBe(1_700_000_000);
    expect(now.get('knockgate_config_policies{state="accepted"}')).toBe(3);
    expect(now.get('knockgate_config_policies{state="rejected"}')).toBe(1);
  });
});
