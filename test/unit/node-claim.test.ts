import { expect, test } from "vitest";
import { nodeClaim } from "../../src/node-claim.ts";
import type { AgentStatus } from "../../src/observability/status.ts";
import type { Problem } from "../../src/policy/problem.ts";

const well = { ok: true, reason: undefined };

function statusWith(changed: Partial<AgentStatus>): AgentStatus {
  return {
    version: "1.2.3",
    revision: "abc",
    nodeVersion: "v24.0.0",
    libpcapVersion: "1.10.3",
    nftVersion: "1.0.6",
    mode: "enforce",
    confirmation: "not-asked",
    grants: 2,
    nftables: "libnftables",
    uptimeSeconds: 1,
    ready: true,
    stages: { config: well, nftables: well, grants: well, capture: well },
    capture: { interfaces: ["eth0"], waitingFor: [] },
    policies: { accepted: ["bastion/ssh"], rejected: 0, problems: [], stale: undefined },
    kubernetes: [],
    bootTable: { kept: true, reason: undefined },
    trackedSources: { now: 0, limit: 10 },
    logLinesDropped: 0,
    ...changed,
  } as AgentStatus;
}

const surroundings = { node: "node-a", kernel: "6.18.0" };
const conditionsOf = (status: AgentStatus, bypass: readonly string[] | undefined) =>
  Object.fromEntries(
    nodeClaim(status, bypass, surroundings).conditions.map(({ type, status: is, reason, message }) => [
      type,
      `${is} ${reason} ${message}`,
    ]),
  );

test("an agent that is well", () => {
  expect(conditionsOf(statusWith({}), [])).toEqual({
    Ready: "True EveryStageWorks Every stage works.",
    CaptureUp: "True Capturing Knocks are captured.",
    TableIntact: "True AsWanted The table in the kernel is as wanted.",
    ConfigCurrent: "True Current The newest configuration is in force.",
    APIReachable: "True Reachable Every watch is current.",
    GateBypassed: "False NothingSeen Nothing is seen that takes packets past the gate.",
  });
});

test("each trouble shows in its condition, with the reason", () => {
  const ill = { ok: false, reason: "no interface is tapped" };
  const lost = { resource: "secrets", scope: "a/b", state: "failing", reason: "forbidden", seconds: 3 } as const;
  const conditions = conditionsOf(
    statusWith({
      ready: false,
      stages: { config: well, nftables: well, grants: well, capture: ill },
      policies: { accepted: [], rejected: 0, problems: [], stale: "old" },
      kubernetes: [lost],
    }),
    ["An XDP program on eth0 may take packets before the gate sees them."],
  );
  expect(conditions.Ready).toBe("False StageFailing capture: no interface is tapped");
  expect(conditions.CaptureUp).toBe("False NotWorking no interface is tapped");
  expect(conditions.ConfigCurrent).toBe("False Stale old");
  expect(conditions.APIReachable).toBe("False WatchFailing secrets (a/b): forbidden");
  expect(conditions.GateBypassed).toMatch(/^True WaySeen An XDP/);
  expect(conditionsOf(statusWith({}), undefined).GateBypassed).toMatch(/^Unknown CannotLook/);
});

test("rejected policies are named once each, and no more than the resource takes", () => {
  const problems = Array.from({ length: 300 }, (_, at): Problem => {
    const policy = `bastion/p${at % 150}`;
    const place = { origin: policy };
    return { severity: "error", code: "step-guarded", policy, field: "spec", message: "Wrong.", place };
  });
  const { fields } = nodeClaim(
    statusWith({ policies: { accepted: [], rejected: 150, problems, stale: undefined } }),
    [],
    surroundings,
  );
  const { rejected, rejections } = fields.policies as { rejected: number; rejections: readonly object[] };
  expect([rejected, rejections.length]).toEqual([150, 100]);
  expect(rejections[0]).toEqual({ namespace: "bastion", name: "p0", reason: "StepGuarded", message: "spec: Wrong." });
});
