import { beforeAll, expect, test } from "vitest";
import { release, render, shapes } from "../chart/chart.ts";
import type { Cluster } from "./cluster.ts";
import { apply } from "./manifests.ts";
import { sharedCluster } from "./shared-cluster.ts";

/**
 * What is left out: kinds of the Prometheus operator, which this API server does not know (test/chart looks at them), and the
 * CRDs, which are there already (chart-release.test.ts installs them).
 */
const leftOut = /^(monitoring\.coreos\.com|apiextensions\.k8s\.io)\//;
/** Every namespace that a shape writes to. */
const namespaces = [release.namespace, "staging", "monitoring"];

let cluster: Cluster;

beforeAll(async () => {
  cluster = sharedCluster();
  for (const name of namespaces) {
    await cluster
      .expect(["create", "namespace", name, "--dry-run=client", "-o", "yaml"])
      .then((input) => cluster.expect(["apply", "-f", "-"], { input }));
  }
});

test.each(Object.entries(shapes))("the API server takes every object of the shape %s", async (_name, values) => {
  const items = (await render(values)).filter(({ apiVersion }) => !leftOut.test(apiVersion));
  // A pod is admitted only where its account is, so these are made indeed.
  await apply(cluster, ...items.filter(({ kind }) => kind === "ServiceAccount"));
  const args = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
  const { code, stdout, stderr } = await cluster.kubectl(args, {
    input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.trim().split("\n")).toHaveLength(items.length);
});

test("a field that Kubernetes does not know would have been seen", async () => {
  const [daemonSet] = (await render()).filter(({ kind }) => kind === "DaemonSet");
  const spec = { ...(daemonSet?.spec as object), updateStratagy: {} };
  const args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
  const { code, stderr } = await cluster.kubectl(args, { input: JSON.stringify({ ...daemonSet, spec }) });
  expect([code, stderr]).toEqual([1, expect.stringContaining("updateStratagy")]);
});
