import { beforeEach, describe, expect, test } from "vitest";
import { Observability } from "../../../src/observability/observability.ts";
import type { WatchEvent } from "../../../src/observability/watch-hub.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import { outcomes } from "../../../src/sequence/outcome.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { LogStream } from "../../fake/log-stream.ts";
import { sampleKnock } from "../../fake/sample-knock.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const build = { version: "1.2.3", revision: "abc", nodeVersion: "20", libpcapVersion: "1.10", nftVersion: "1.0.6" };
/** Ports and a source that occur nowhere else, so that finding them means a leak. */
const stepPorts = [47_111, 47_222, 47_333] as const;
const decoy = 47_444;
const policy = samplePolicy({ name: "door", steps: stepPorts.map((port) => `${port}/tcp`), decoys: [`${decoy}/tcp`] });
const from = "198.51.100.77";
const source = parseAddress(from) ?? new Uint32Array(4);
const ports = [{ protocol: "tcp", port: 22 }] as const;

let clock: FakeClock;
let stream: LogStream;
let observability: Observability;

beforeEach(() => {
  clock = new FakeClock();
  stream = new LogStream();
  observability = new Observability({ clock, build, logLevel: "debug", logFormat: "json", stdout: stream });
  observability.usePolicies([policy]);
});

/** Everything that stages can tell, once each. */
function tellEverything(): void {
  for (const port of [...stepPorts, decoy]) {
    for (const kind of outcomes) observability.sequence.outcome(kind, policy.opensBy, 1, sampleKnock({ from, port }));
  }
  observability.sequence.evicted(3);
  for (const kind of ["added", "renewed", "revoked", "expired", "refused", "failed"] as const)
    observability.grants.grant({ kind, source, policy: policy.name, ports, detail: "knock", latencySeconds: 0.002 });
  observability.grants.active(policy.name, 1);
  observability.capture.packets("eth0", 9);
  observability.capture.dropped("kernel", 2);
  observability.capture.discarded("truncated", 4);
  observability.capture.restarted("crash");
  observability.capture.capturing(["eth0"], []);
  observability.capture.warned("The capture keeps root.");
  observability.gate.transaction("failed", 0.01);
  observability.gate.drift(["a rule was missing"]);
  observability.gate.synced();
  observability.gate.intact("the table was deleted");
  observability.config.accepted(1, 0, []);
  observability.config.refused("the folder cannot be read");
}

describe("what can be seen from outside", () => {
  test("no step and no decoy is in log, metrics, status or events", async () => {
    const events: WatchEvent[] = [];
    observability.subscribe({}, (event) => events.push(event));
    tellEverything();
    const seen = [
      stream.text,
      await observability.metrics.text(),
      JSON.stringify(observability.status({ mode: "enforce", confirmation: "not-asked", grants: 1, nftables: "fake" })),
      JSON.stringify(events),
    ].join("\n");
    expect(events.length).toBeGreaterThan(0);
    for (const port of [...stepPorts, decoy]) expect(seen).not.toMatch(new RegExp(`(?<![\\d.])${port}(?!\\d)`));
  });

  test("the source is in audit records and live events, and nowhere else", async () => {
    tellEverything();
    expect(await observability.metrics.text()).not.toContain(from);
    expect(
      JSON.stringify(observability.status({ mode: "enforce", confirmation: "not-asked", grants: 1, nftables: "fake" })),
    ).not.toContain(from);
    const withSource = stream.lines.filter((line) => JSON.stringify(line).includes(from));
    expect(withSource.map((line) => [line.event, line.audit])).toEqual(
      ["added", "renewed", "revoked", "expired", "refused", "failed"].map((kind) => [`grant-${kind}`, true]),
    );
  });

  test("what stages tell is counted", async () => {
    tellEverything();
    const text = await observability.metrics.text();
    for (const line of [
      'knockgate_knocks_total{outcome="reset",family="ipv4",protocol="tcp"} 4',
      "knockgate_tracker_evictions_total 3",
      'knockgate_grants_total{policy="default/door",result="refused"} 1',
      'knockgate_grants_active{policy="default/door"} 1',
      'knockgate_capture_packets_total{interface="eth0"} 9',
      'knockgate_capture_dropped_packets_total{reason="kernel"} 2',
      'knockgate_decode_discarded_packets_total{reason="truncated"} 4',
      'knockgate_capture_restarts_total{cause="crash"} 1',
      'knockgate_nftables_transactions_total{result="failed"} 1',
      "knockgate_nftables_drift_total 1",
      "knockgate_knock_to_grant_seconds_count 6",
      "knockgate_config_last_reload_successful 0",
    ])
      expect(text).toContain(`${line}\n`);
  });
});

describe("an audit record", () => {
  test("says who, by which policy, which ports, until when and why", () => {
    observability.grants.grant({
      kind: "added",
      source,
      policy: policy.name,
      ports: [...ports, { protocol: "udp", port: 51_820 }],
      untilWallMicros: 1_700_000_030_000_000,
      detail: "knock",
    });
    expect(stream.lines.at(-1)).toEqual({
      level: "info",
      time: expect.any(String),
      event: "grant-added",
      audit: true,
      source: from,
      policy: "default/door",
      ports: ["22/tcp", "51820/udp"],
      until: "2023-11-14T22:13:50.000Z",
      detail: "knock",
      message: "A door was opened.",
    });
  });
});

describe("a watcher", () => {
  test.each([
    { kind: "advanced", port: stepPorts[0], step: 1, reason: undefined },
    { kind: "reset", port: decoy, step: 0, reason: "a decoy was hit" },
    { kind: "reset", port: stepPorts[2], step: 0, reason: "a step came out of order" },
    { kind: "expired", port: stepPorts[1], step: 0, reason: undefined },
    {
      kind: "ignored",
      port: stepPorts[1],
      step: 0,
      reason: "nothing was begun: the first step did not come before it",
    },
    { kind: "ignored", port: stepPorts[0], step: 0, reason: "it was sent to an address of another host" },
  ] as const)("is told how far a source is and why: $kind at $step", ({ kind, port, step, reason }) => {
    const events: WatchEvent[] = [];
    observability.subscribe({ source }, (event) => events.push(event));
    observability.sequence.outcome(kind, policy.opensBy, step, sampleKnock({ from, port }));
    observability.sequence.outcome(kind, policy.opensBy, step, sampleKnock({ from: "203.0.113.1", port }));
    expect(events).toEqual([
      {
        time: "2023-11-14T22:13:20.000Z",
        kind,
        source: from,
        policy: "default/door",
        step,
        steps: 3,
        closing: undefined,
        reason,
      },
    ]);
  });

  test.each([
    { name: "flags", sample: {}, knock: { flags: 0x12 }, reason: "its TCP flags are not those asked for" },
    {
      name: "target",
      sample: { target: "192.0.2.9" },
      knock: {},
      reason: "it was sent to another address than the target",
    },
    { name: "source", sample: { sources: ["203.0.113.0/24"] }, knock: {}, reason: "its source may not knock here" },
  ])("is told the one reason why a step does not count: its $name", ({ sample, knock, reason }) => {
    const events: WatchEvent[] = [];
    observability.subscribe({}, (event) => events.push(event));
    const { opensBy } = samplePolicy({ steps: ["7000/tcp", "8000/tcp", "9000/tcp"], ...sample });
    observability.sequence.outcome("ignored", opensBy, 0, sampleKnock({ from, port: 7000, ...knock }));
    expect(events).toMatchObject([{ kind: "ignored", reason }]);
  });

  test("is told what became of the grant", () => {
    const events: WatchEvent[] = [];
    observability.subscribe({ source }, (event) => events.push(event));
    observability.grants.grant({
      kind: "refused",
      source,
      policy: policy.name,
      ports,
      reason: "set-full",
      detail: "the set is full",
    });
    expect(events).toMatchObject([
      { kind: "grant-refused", policy: "default/door", ports: ["22/tcp"], reason: "set-full" },
    ]);
  });
});

describe("readiness", () => {
  test("is told in the log when it comes and goes", () => {
    observability.config.accepted(1, 0, []);
    observability.gate.intact(undefined);
    observability.setStage("grants", undefined);
    observability.capture.capturing(["eth0"], []);
    observability.capture.capturing([], []);
    const told = stream.lines.filter(({ event }) => String(event).startsWith("agent-"));
    expect(told.map(({ event, message }) => [event, message])).toEqual([
      ["agent-ready", "Every stage works."],
      ["agent-not-ready", "Not ready: capture: no interface is tapped."],
    ]);
  });

  test("a bad snapshot after a good one leaves the agent ready, but stale", () => {
    observability.config.accepted(1, 0, []);
    observability.config.refused("the folder is empty");
    const { stages, policies } = observability.status({
      mode: "enforce",
      confirmation: "not-asked",
      grants: 0,
      nftables: "fake",
    });
    expect(stages.config.ok).toBe(true);
    expect(policies.stale).toBe("the folder is empty");
  });

  test("a bad snapshot at first does not", () => {
    observability.config.refused("the folder is empty");
    expect(observability.readiness().stages.config).toEqual({ ok: false, reason: "the folder is empty" });
  });

  test("an agent that ends is not ready", () => {
    observability.stopping();
    expect(observability.readiness().failures[0]).toBe("agent: shutting down");
  });
});
