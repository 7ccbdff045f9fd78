import { expect, test } from "vitest";
import { podOf } from "./agent-pod.ts";
import { find, type Rendered, render, shapes } from "./chart.ts";

function hooks(objects: readonly Rendered[], event: string): readonly Rendered[] {
  return objects.filter(({ metadata }) => metadata.annotations?.["helm.sh/hook"] === event);
}

test("uninstalling runs the cleanup where agents ran, once none of them holds the port any more", async () => {
  const objects = await render({ ...shapes["every-knob"] });
  const cleanup = podOf(find(objects, "DaemonSet", "gate-cleanup"));
  const agent = podOf(find(objects, "DaemonSet", "gate"));
  for (const key of ["nodeSelector", "tolerations", "affinity", "hostNetwork"])
    expect(cleanup[key]).toEqual(agent[key]);
  expect(cleanup.containers[0]?.ports).toEqual(agent.containers[0]?.ports);
  expect(cleanup.initContainers?.map(({ name, args = [] }) => [name, ...args])).toEqual([
    ["boot-unit"],
    ["cleanup", "cleanup", "--state-dir=/var/lib/knockgate"],
  ]);
  expect(cleanup.automountServiceAccountToken).toBe(false);
});

test("hooks come in order: accounts and roles, bindings, the cleanup, and who waits for it", async () => {
  const objects = hooks(await render(), "post-delete");
  const weight = ({ metadata }: Rendered) => Number(metadata.annotations?.["helm.sh/hook-weight"]);
  const inOrder = [...objects].sort((one, other) => weight(one) - weight(other)).map(({ kind }) => kind);
  expect(inOrder.slice(0, 3).sort()).toEqual(["ClusterRole", "Role", "ServiceAccount"]);
  expect(inOrder.slice(3, 5).sort()).toEqual(["ClusterRoleBinding", "RoleBinding"]);
  expect(inOrder.slice(5)).toEqual(["DaemonSet", "Job"]);
  for (const { metadata } of objects) {
    expect(metadata.annotations?.["helm.sh/hook-delete-policy"]).toBe("before-hook-creation,hook-succeeded");
    expect(metadata.annotations?.["helm.sh/hook-output-log-policy"]).toBe("hook-succeeded,hook-failed");
  }
});

test.each([
  ["the ports are to stay closed", { uninstall: { table: "KeepClosed" } }],
  ["a sidecar's table goes with its pod", shapes.sidecar ?? {}],
])("nothing is cleaned up where %s", async (_why, values) => {
  expect(hooks(await render(values), "post-delete")).toEqual([]);
});

test("who waits, and who tests, asks the API as nobody", async () => {
  const objects = await render();
  for (const pod of [podOf(find(objects, "Job")), podOf(find(objects, "Pod"))]) {
    expect(pod.containers[0]).toMatchObject({
      securityContext: { runAsNonRoot: true, capabilities: { drop: ["ALL"] } },
    });
    expect(pod.containers[0]?.command?.slice(0, 3)).toEqual(["node", "--input-type=module", "--eval"]);
    const script = pod.containers[0]?.command?.[3] ?? "";
    expect(script).not.toMatch(/^export |kubernetes-api\.mjs/m);
    expect(script).not.toContain("$("); // Kubernetes would take it for a variable
  }
});

test("the test asks agents themselves where they can be reached, and the API of a Deployment for sidecars", async () => {
  const environment = async (values: object) => podOf(find(await render({ ...values }), "Pod")).containers[0]?.env;
  expect(await environment({})).toContainEqual({ name: "LISTEN_ON", value: "Loopback" });
  expect(await environment(shapes.monitoring ?? {})).toContainEqual({ name: "LISTEN_ON", value: "PodIP" });
  expect(await environment(shapes.sidecar ?? {})).toContainEqual({
    name: "WORKLOAD",
    value: "deployments/gate-knockgate",
  });
});
