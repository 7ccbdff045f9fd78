import { expect, test } from "vitest";
import { agentPod, allContainers } from "./agent-pod.ts";
import { find, render, shapes } from "./chart.ts";

const fileOnly = { crd: { enabled: false }, sequencesAs: "ConfigMap", sequences: shapes["file-only"]?.sequences };

test("the agent works in the node's network and has four capabilities, and no right besides", async () => {
  const { pod, container } = await agentPod();
  expect(pod).toMatchObject({
    hostNetwork: true,
    dnsPolicy: "ClusterFirstWithHostNet",
    terminationGracePeriodSeconds: 10,
  });
  expect(pod).not.toHaveProperty("hostPID");
  expect(pod).not.toHaveProperty("hostIPC");
  expect(container.securityContext).toEqual({
    runAsUser: 0,
    runAsGroup: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW", "SETUID", "SETGID"] },
    seccompProfile: { type: "RuntimeDefault" },
  });
});

test.each(Object.entries(shapes))("in the shape %s nothing may more than it needs", async (_name, values) => {
  const rights = { "cleanup: cleanup": ["NET_ADMIN"], knockgate: ["NET_ADMIN", "NET_RAW", "SETUID", "SETGID"] };
  const own = allContainers(await render(values)).filter(([, { image }]) => image.includes("knockgate/knockgate"));
  expect(own.length).toBeGreaterThan(1);
  for (const [name, { securityContext, resources }] of own) {
    const [, add = []] = Object.entries(rights).find(([end]) => name.endsWith(end)) ?? [];
    expect([name, securityContext]).toEqual([
      name,
      expect.objectContaining({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: add.length === 0 ? { drop: ["ALL"] } : { drop: ["ALL"], add },
        seccompProfile: { type: "RuntimeDefault" },
      }),
    ]);
    expect([name, resources]).toEqual([name, expect.objectContaining({ limits: expect.anything() })]);
  }
});

test("a token is mounted for the API only, and for no other container of the pod", async () => {
  const token = { name: "token", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true };
  const withApi = await agentPod({ bootUnit: { install: true } });
  expect(withApi.pod.automountServiceAccountToken).toBe(false);
  expect(withApi.container.volumeMounts).toContainEqual(token);
  expect(withApi.pod.initContainers?.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name))).toEqual([
    "units",
  ]);

  const { objects, pod, container } = await agentPod(fileOnly);
  expect(pod.automountServiceAccountToken).toBe(false);
  expect(pod.volumes.map(({ name }) => name)).toEqual(["state", "run", "policies"]);
  expect(container.env?.map(({ name }) => name)).not.toContain("KNOCKGATE_NODE_NAME");
  expect(objects.filter(({ kind, metadata }) => /Role/.test(kind) && !metadata.annotations)).toEqual([]);
  expect(find(objects, "ServiceAccount", "gate-knockgate")).toMatchObject({ automountServiceAccountToken: false });
});

test("a watched ConfigMap needs the API although no objects are read", async () => {
  const { container, args } = await agentPod({ crd: { enabled: false }, watchedConfigMaps: ["bastion/policies"] });
  expect(args).not.toContain("--crd");
  expect(container.volumeMounts.map(({ name }) => name)).toContain("token");
  expect(container.env?.map(({ name }) => name)).toContain("KNOCKGATE_NODE_NAME");
});

test("what must outlive the pod lies on the node, and steps are for root alone", async () => {
  const { pod, container } = await agentPod({ ...fileOnly, existingSecrets: ["more"], stateDir: "/srv/kg" });
  expect(pod.volumes).toEqual([
    { name: "state", hostPath: { path: "/srv/kg", type: "DirectoryOrCreate" } },
    { name: "run", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
    { name: "policies", configMap: { name: "gate-knockgate-sequences", defaultMode: 0o400 } },
    { name: "policies-secret-0", secret: { secretName: "more", defaultMode: 0o400 } },
  ]);
  expect(container.volumeMounts).toContainEqual({
    name: "policies",
    mountPath: "/etc/knockgate/values",
    readOnly: true,
  });
});

test("probes reach the agent where it listens", async () => {
  const probes = async (values: object) => {
    const { livenessProbe, readinessProbe, startupProbe } = (await agentPod({ ...values })).container;
    return [livenessProbe, readinessProbe, startupProbe].map((probe) => (probe as { httpGet: object }).httpGet);
  };
  expect(await probes({})).toEqual([
    { path: "/livez", port: "http", host: "127.0.0.1" },
    { path: "/readyz", port: "http", host: "127.0.0.1" },
    { path: "/livez", port: "http", host: "127.0.0.1" },
  ]);
  for (const probe of await probes({ listen: { address: "PodIP" } })) expect(probe).not.toHaveProperty("host");
});

test("never are two agents on one node, and one node at a time is renewed", async () => {
  const { workload } = await agentPod();
  const spec = workload.spec as { readonly updateStrategy: unknown };
  expect(spec.updateStrategy).toEqual({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
});

test("every knob of the pod is turned", async () => {
  const { workload, pod, container, objects } = await agentPod(shapes["every-knob"]);
  const image = `registry.example.org/knockgate/knockgate@sha256:${"0".repeat(64)}`;
  const placement = {
    nodeSelector: { "node-role/bastion": "true" },
    tolerations: [{ operator: "Exists" }],
    affinity: expect.objectContaining({ nodeAffinity: expect.anything() }),
    priorityClassName: "system-node-critical",
    imagePullSecrets: [{ name: "global-pull" }, { name: "own-pull" }],
  };
  expect(pod).toMatchObject({ ...placement, terminationGracePeriodSeconds: 20, serviceAccountName: "gatekeeper" });
  expect(workload.spec).toMatchObject({ updateStrategy: { type: "OnDelete" }, revisionHistoryLimit: 3 });
  expect((workload.spec as { template: { metadata: object } }).template.metadata).toMatchObject({
    labels: { tier: "edge", team: "network" },
    annotations: { "example.org/scraped": "false" },
  });
  expect(container.env).toContainEqual({ name: "TZ", value: "UTC" });
  expect(container.volumeMounts).toContainEqual({ name: "knockd", mountPath: "/etc/knockd", readOnly: true });
  expect(container.resources).toEqual({ requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "1Gi" } });
  expect(find(objects, "ConfigMap", "gate-more")).toMatchObject({
    metadata: { namespace: "bastion" },
    data: { key: "value" },
  });
  expect(find(objects, "ConfigMap", "gate-text")).toBeDefined();
  for (const [, each] of allContainers(objects)) expect(each).toMatchObject({ image, imagePullPolicy: "Always" });
});

test("an image is named by registry, tag and digest, the digest winning", async () => {
  const imageOf = async (image: object, global = {}) => (await agentPod({ image, global })).container.image;
  expect(await imageOf({})).toBe("ghcr.io/knockgate/knockgate:0.1.0");
  expect(await imageOf({ tag: "edge" })).toBe("ghcr.io/knockgate/knockgate:edge");
  expect(await imageOf({ registry: "", repository: "knockgate" })).toBe("knockgate:0.1.0");
  expect(await imageOf({}, { imageRegistry: "mirror.example.org" })).toBe(
    "mirror.example.org/knockgate/knockgate:0.1.0",
  );
});
