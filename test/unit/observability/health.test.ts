import { expect, test } from "vitest";
import { Health, stages } from "../../../src/observability/health.ts";

test("nothing is well before it said so, and every failing stage is named", () => {
  const health = new Health();
  expect(health.readiness().failures).toEqual(stages.map((stage) => `${stage}: not started yet`));
  for (const stage of stages) health.set(stage, undefined);
  expect(health.readiness()).toMatchObject({ ready: true, failures: [] });
  health.set("capture", "no interface is tapped");
  health.set("nftables", "the table is missing");
  expect(health.readiness()).toMatchObject({
    ready: false,
    failures: ["nftables: the table is missing", "capture: no interface is tapped"],
    stages: { capture: { ok: false, reason: "no interface is tapped" }, config: { ok: true } },
  });
});

test("an agent that ends is not ready though every stage works", () => {
  const health = new Health();
  for (const stage of stages) health.set(stage, undefined);
  health.stop();
  expect(health.readiness()).toMatchObject({ ready: false, failures: ["agent: shutting down"] });
});

test("the same reason again is no news", () => {
  const health = new Health();
  expect(health.set("config", "unreadable")).toBe(true);
  expect(health.set("config", "unreadable")).toBe(false);
  expect(health.set("config", undefined)).toBe(true);
});
