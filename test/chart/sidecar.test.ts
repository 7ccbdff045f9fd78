import { expect, test } from "vitest";
import { agentPod } from "./agent-pod.ts";
import { find, refusal, shapes } from "./chart.ts";

const sidecar = shapes.sidecar ?? {};

test("a sidecar guards its pod before the pod's containers begin, in the pod's own network", async () => {
  const { workload, pod, container } = await agentPod(sidecar);
  expect(workload).toMatchObject({ kind: "Deployment", spec: { replicas: 2 } });
  expect(pod).not.toHaveProperty("hostNetwork");
  expect(pod.initContainers?.[0]).toBe(container);
  expect(container).toMatchObject({ restartPolicy: "Always", startupProbe: { httpGet: { path: "/readyz" } } });
  expect(pod.containers.map(({ name }) => name)).toEqual(["web"]);
});

test("its pod gets no token, whatever is set, and nothing of the node", async () => {
  const { pod, args, objects } = await agentPod({ ...sidecar, crd: { enabled: true } });
  expect(pod.automountServiceAccountToken).toBe(false);
  expect(pod.volumes.map(({ name }) => name)).toEqual(["state", "run", "policies"]);
  expect(JSON.stringify(pod)).not.toContain("hostPath");
  expect(args).not.toContain("--crd");
  expect(find(objects, "ClusterRole")).toBeUndefined();
});

test("it trusts its node, so that probes pass, unless told otherwise", async () => {
  expect((await agentPod(sidecar)).args).toContain("--trust=$(NODE_IP)");
  const values = { ...sidecar, sidecar: { ...(sidecar.sidecar as object), trustNode: false } };
  expect((await agentPod(values)).args.filter((arg) => arg.startsWith("--trust"))).toEqual([]);
});

test("a Service keeps the client's address", async () => {
  const { objects } = await agentPod(sidecar);
  expect(find(objects, "Service")).toMatchObject({ spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" } });
});

test("a NetworkPolicy lets everything through to the gate but the agent's port", async () => {
  const { objects } = await agentPod(sidecar);
  expect(find(objects, "NetworkPolicy")?.spec).toMatchObject({
    ingress: [
      {
        ports: [
          { protocol: "UDP", port: 1, endPort: 65535 },
          { protocol: "TCP", port: 1, endPort: 9779 },
          { protocol: "TCP", port: 9781, endPort: 65535 },
        ],
      },
    ],
  });
});

test.each([
  [{ ...sidecar, sidecar: { containers: [] } }, "needs sidecar.containers"],
  [{ ...sidecar, sequencesAs: "KnockSequence" }, "a Sidecar never talks to the API"],
  [{ ...sidecar, watchedConfigMaps: ["a/b"] }, "a Sidecar never talks to the API"],
  [{ ...sidecar, sequences: {} }, "there is nothing to guard"],
  [{ ...sidecar, listen: { address: "Loopback" } }, "out of the kubelet's reach"],
  [{ ...sidecar, bootUnit: { install: true } }, "bootUnit is for nodes"],
])("refused %#: %s", async (values, sentence) => {
  expect(await refusal(values)).toContain(sentence);
});
