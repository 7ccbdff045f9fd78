import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { apply } from "../cluster/manifests.ts";
import { eventually } from "../netns/eventually.ts";
import type { Host } from "../netns/host.ts";
import { agentDaemonSet, agentNamespace } from "./agent-daemonset.ts";
import { guardedServices, servicePorts } from "./guarded-services.ts";
import { RealNode } from "./real-node.ts";

const steps = ["7312/udp", "9127/tcp", "8845/udp"];
const ports = Object.values(servicePorts);
const shipped = (name: string) => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url));

let node: RealNode;

beforeAll(async () => {
  node = await RealNode.start("nftables", [process.env.KNOCKGATE_IMAGE ?? ""]);
  await apply(node.cluster, ...guardedServices("default"));
  for (const name of ["host-network", "host-port", "node-port"]) await node.until("pod", name, "Ready");
}, 300_000);
afterAll(() => node?.stop());

/** Resolves when somebody meets every guarded port so. */
async function until(who: Host, outcome: "open" | "silent", timeoutMs = 30_000): Promise<void> {
  for (const port of ports) {
    const isSo = async () => (await who.connect(node.node.ipv4, port, { timeoutMs: 300 })) === outcome;
    await eventually(isSo, { what: `port ${port} to be ${outcome} for the ${who.name}`, timeoutMs });
  }
}

test("without an agent every way in is open", async () => {
  await until(node.visitor, "open");
});

test("the agent becomes ready on the real kubelet, with the roles that are shipped, and takes a policy from the API", async () => {
  for (const name of ["agent.yaml", "admission.yaml"]) await node.cluster.expect(["apply", "-f", shipped(name)]);
  await apply(node.cluster, agentDaemonSet("docker.io/library/knockgate:test"), {
    apiVersion: "knockgate.io/v1alpha1",
    kind: "KnockSequence",
    metadata: { name: "doors", namespace: agentNamespace },
    spec: { knock: { steps }, opens: { ports: ports.map((port) => `${port}/tcp`), for: "15s" } },
  });
  const rollout = ["rollout", "status", "-n", agentNamespace, "daemonset/knockgate", "--timeout=50s"];
  await node.cluster.expect(rollout);
  await node.until("kseq", "doors", "Accepted", agentNamespace);
  await node.until("kn", node.name, "Ready");
});

test("host network, hostPort and NodePort are closed, open to who has knocked and to nobody else, and are closed again", async () => {
  await until(node.visitor, "silent");
  await node.visitor.knock(node.node.ipv4, steps);
  await until(node.visitor, "open", 10_000);
  for (const port of ports) {
    expect(await node.stranger.connect(node.node.ipv4, port, { timeoutMs: 300 }), String(port)).toBe("silent");
  }
  const grants = ["exec", "-n", agentNamespace, "daemonset/knockgate", "--", "knockgate", "grants"];
  expect(await node.cluster.expect(grants)).toContain(node.visitor.ipv4);
  await until(node.visitor, "silent", 40_000); // the kernel closes it
});
