import { beforeEach, expect, test } from "vitest";
import { ApiError } from "../../../src/kubernetes/api-error.ts";
import type { Condition, WatchName } from "../../../src/kubernetes/reflector-report.ts";
import { Observability } from "../../../src/observability/observability.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { LogStream } from "../../fake/log-stream.ts";

const build = { version: "1", revision: "a", nodeVersion: "20", libpcapVersion: "1", nftVersion: "1" };
const policies: WatchName = { resource: "knocksequences", scope: "bastion" };
const secret = (name: string): WatchName => ({ resource: "secrets", scope: `bastion/${name}` });
const current: Condition = { kind: "current" };
const failing = (code: "unreachable" | "forbidden"): Condition => ({ kind: "failing", error: new ApiError(code, "") });

let clock: FakeClock;
let stream: LogStream;
let observability: Observability;

beforeEach(() => {
  clock = new FakeClock();
  stream = new LogStream();
  observability = new Observability({ clock, build, logLevel: "debug", logFormat: "json", stdout: stream });
});

/** The events of the log so far. */
function events(): readonly string[] {
  return stream.text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).event);
}

function statusOfWatches() {
  const agent = { mode: "enforce", confirmation: "not-asked", grants: 0, nftables: "fake" } as const;
  return observability.status(agent).kubernetes;
}

async function metric(series: string): Promise<string | undefined> {
  const text = await observability.metrics.text();
  return text
    .split("\n")
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1);
}

test("losing the API is told once for each resource, and its return once", () => {
  for (const name of [policies, secret("a"), secret("b")]) observability.kubernetes.condition(name, current);
  expect(events()).toEqual([]);
  for (const name of [policies, secret("a"), secret("b"), policies])
    observability.kubernetes.condition(name, failing("unreachable"));
  expect(events()).toEqual(["kubernetes-lost", "kubernetes-lost"]);
  expect(stream.text).toContain("what is known stays in force");
  observability.kubernetes.condition(policies, current);
  observability.kubernetes.condition(secret("a"), current);
  expect(events()).toHaveLength(2);
  observability.kubernetes.condition(secret("b"), undefined); // not needed any more
  expect(events().slice(2)).toEqual(["kubernetes-current"]);
});

test("another kind of trouble is told beside the first", () => {
  observability.kubernetes.condition(policies, failing("unreachable"));
  observability.kubernetes.condition(policies, failing("forbidden"));
  expect(events()).toEqual(["kubernetes-lost", "kubernetes-lost"]);
});

test("status and metrics show each watch as it is", async () => {
  observability.kubernetes.condition(policies, current);
  observability.kubernetes.condition(secret("a"), failing("forbidden"));
  clock.advance(7000);
  observability.kubernetes.condition(secret("a"), failing("forbidden"));
  observability.kubernetes.restarted(policies, "ended");
  observability.kubernetes.handlerFailed(policies, new Error("a defect"));
  expect(statusOfWatches()).toEqual([
    { ...policies, state: "current", reason: undefined, seconds: 7 },
    { ...secret("a"), state: "failing", reason: "the Kubernetes API does not allow it", seconds: 7 },
  ]);
  expect(await metric('knockgate_watches{resource="secrets",state="failing"}')).toBe("1");
  expect(await metric('knockgate_watches{resource="secrets",state="current"}')).toBe("0");
  expect(await metric('knockgate_watch_restarts_total{resource="knocksequences",cause="ended"}')).toBe("1");
  expect(await metric('knockgate_watch_handler_failures_total{resource="knocksequences"}')).toBe("1");
  observability.kubernetes.condition(secret("a"), undefined);
  expect(statusOfWatches()).toHaveLength(1);
  expect(await metric('knockgate_watches{resource="secrets",state="failing"}')).toBe("0");
});
