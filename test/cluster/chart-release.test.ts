import { beforeAll, expect, test } from "vitest";
import { chartFolder, runChartProgram, shapes, type Values } from "../chart/chart.ts";
import type { Cluster } from "./cluster.ts";
import { apply, sequenceManifest } from "./manifests.ts";
import { sharedCluster } from "./shared-cluster.ts";

/** The objects that the chart may make, but for those that stay. */
const kinds = "ds,deploy,sa,role,rolebinding,clusterrole,clusterrolebinding,secret,cm,svc,netpol,pod,job";

let cluster: Cluster;
beforeAll(async () => {
  cluster = sharedCluster();
  for (const name of ["bastion", "staging"]) {
    const input = await cluster.expect(["create", "namespace", name, "--dry-run=client", "-o", "json"]);
    await cluster.expect(["apply", "-f", "-"], { input });
  }
});

/** Runs Helm as the administrator; hooks are left out, for there is no kubelet to run them. */
async function helm(namespace: string, args: readonly string[], values: Values = {}): Promise<string> {
  const place = ["--kubeconfig", cluster.kubeconfig, "--namespace", namespace, "--no-hooks"];
  const env = { HOME: cluster.access.folder };
  const { code, stdout, stderr } = await runChartProgram("helm", [...args, ...place], JSON.stringify(values), env);
  if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${code}\n${stdout}${stderr}`);
  return stdout;
}

async function modeOf(namespace: string): Promise<string> {
  const args = [
    "get",
    "ds",
    "gate-knockgate",
    "-n",
    namespace,
    "-o",
    "jsonpath={.spec.template.spec.containers[0].args[1]}",
  ];
  return await cluster.expect(args);
}

test("a release is installed, enforces, goes back, and leaves the CRDs and what people wrote", async () => {
  const namespace = await cluster.createNamespace();
  // The CRDs are there already, as after `kubectl apply -f deploy/crd.yaml`.
  await helm(namespace, ["install", "gate", chartFolder, "--take-ownership", "-f", "-"], { guard: [8022] });
  expect(await modeOf(namespace)).toBe("--mode=observe");
  await helm(namespace, ["upgrade", "gate", chartFolder, "--reset-then-reuse-values", "--set", "mode=enforce"]);
  expect(await modeOf(namespace)).toBe("--mode=enforce");
  await helm(namespace, ["rollback", "gate", "1"]);
  expect(await modeOf(namespace)).toBe("--mode=observe");

  await apply(cluster, sequenceManifest({ namespace, name: "ssh", steps: ["1001/udp"], port: 8022 }));
  await helm(namespace, ["uninstall", "gate"]);
  const left = ["-l", "app.kubernetes.io/instance=gate", "-n", namespace, "-o", "name"];
  const objects = (await cluster.expect(["get", kinds, ...left])).split("\n");
  // Those without a namespace are named after it: other tests have releases of this name too.
  expect(objects.filter((name) => !name.startsWith("clusterrole") || name.includes(`${namespace}-`))).toEqual([""]);
  expect(await cluster.expect(["get", "crd", ...left])).toContain("knocksequences.knockgate.io");
  expect(await cluster.expect(["get", "kseq", "-n", namespace, "-o", "name"])).toContain("/ssh");

  // And the same release comes back over the CRDs that it left.
  await helm(namespace, ["install", "gate", chartFolder, "-f", "-"], { guard: [8022] });
  await helm(namespace, ["uninstall", "gate"]);
});

test("a release goes from each shape to each next one, and back by rollback", async () => {
  const namespace = await cluster.createNamespace();
  const known = Object.entries(shapes).filter(([name]) => !needsOperator.has(name));
  for (const [, values] of known) {
    const shape = { ...values, crds: { install: false } };
    await helm(namespace, ["upgrade", "--install", "gate", chartFolder, "-f", "-"], shape);
  }
  await helm(namespace, ["rollback", "gate", "1"]);
  await helm(namespace, ["uninstall", "gate"]);
}, 240_000);

/** Shapes with objects of the Prometheus operator, which this API server does not know. */
const needsOperator = new Set(["default-drop", "monitoring"]);
