import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiRelay } from "../cluster/api-relay.ts";
import { advertisedAddress } from "../cluster/api-server.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { ControlPlane } from "../cluster/control-plane.ts";
import { eventually } from "../netns/eventually.ts";
import { type Host, programPath } from "../netns/host.ts";
import { World } from "../netns/world.ts";
import { ContainerRuntime } from "./container-runtime.ts";
import { NodeMachine } from "./node-machine.ts";
import {
  kubeletConfiguration,
  kubeletFlags,
  type NodeSettings,
  type ProxyMode,
  proxyConfiguration,
} from "./node-settings.ts";

const nodeName = "bastion-1";

/**
 * A cluster of one real node: control plane, controller manager and scheduler on this machine's loopback; kubelet, containerd and
 * kube-proxy in a network namespace, with a visitor and a stranger before it. Nothing of it is outside what tests have made.
 */
export class RealNode {
  readonly name = nodeName;
  readonly cluster: Cluster;
  readonly node: Host;
  readonly visitor: Host;
  readonly stranger: Host;
  private readonly ending: (() => Promise<void>)[];

  private constructor(cluster: Cluster, world: World, ending: (() => Promise<void>)[]) {
    this.cluster = cluster;
    this.node = world.host("node");
    this.visitor = world.host("visitor");
    this.stranger = world.host("stranger");
    this.ending = ending;
  }

  /** Resolves when the node is ready. `archives` are images that it has. */
  static async start(proxy: ProxyMode, archives: readonly string[]): Promise<RealNode> {
    const ending: (() => Promise<void>)[] = [];
    try {
      const world = await World.build("real", ["node", "visitor", "stranger"]);
      ending.push(() => world.remove());
      const token = randomBytes(16).toString("hex");
      const plane = await startControlPlane(world, token);
      ending.push(() => plane.stop());
      await joinApi(plane.cluster, world, ending);
      const { cluster } = plane;
      const machine = await NodeMachine.start(world.host("node"), world.folder);
      ending.push(() => machine.stop());
      const runtime = await ContainerRuntime.start(machine, archives);
      const settings: NodeSettings = {
        name: nodeName,
        address: world.host("node").ipv4,
        kubeconfig: cluster.writeKubeconfig({ token }),
        runtimeSocket: runtime.socket,
        controlGroup: machine.controlGroup,
      };
      startNodePrograms(machine, settings, cluster, proxy);
      const node = new RealNode(cluster, world, ending);
      await node.until("node", nodeName, "Ready").catch((cause: unknown) => {
        throw new Error(`the node is not ready\n${logOf(machine, "kubelet")}`, { cause });
      });
      // The controllers make it, and no pod is admitted before.
      const account = ["wait", "--for=create", "serviceaccount/default", "--timeout=60s"];
      await cluster.expect(account);
      return node;
    } catch (error) {
      for (const end of ending.reverse()) await end();
      throw error;
    }
  }

  /** Resolves when a condition of an object holds. */
  async until(kind: string, name: string, condition: string, namespace = "default"): Promise<void> {
    const args = ["wait", `--for=condition=${condition}`, "--timeout=5s", "-n", namespace, kind, name];
    const holds = async () => (await this.cluster.kubectl(args)).code === 0;
    await eventually(holds, { what: `${kind} ${name} to be ${condition}`, timeoutMs: 120_000 });
  }

  /** Ends everything, the last first. */
  async stop(): Promise<void> {
    for (const end of this.ending.reverse()) await end();
  }
}

function startNodePrograms(machine: NodeMachine, settings: NodeSettings, cluster: Cluster, proxy: ProxyMode): void {
  const { programs } = cluster.access;
  const kubelet = join(machine.folder, "kubelet.json");
  writeFileSync(kubelet, kubeletConfiguration(settings));
  machine.run("kubelet", join(programs, "kubelet"), kubeletFlags(settings, kubelet));
  const kubeProxy = join(machine.folder, "kube-proxy.json");
  writeFileSync(kubeProxy, proxyConfiguration({ ...settings, kubeconfig: cluster.kubeconfig }, proxy));
  machine.run("kube-proxy", join(programs, "kube-proxy"), [`--config=${kubeProxy}`]);
}

/** With a user for the kubelet, and a way from the API server to it. */
async function startControlPlane(world: World, token: string): Promise<ControlPlane> {
  const tunnel = join(world.folder, "kubelet.sock");
  const selection = join(world.folder, "egress.json");
  const connection = { proxyProtocol: "HTTPConnect", transport: { uds: { udsName: tunnel } } };
  const egress = { apiVersion: "apiserver.k8s.io/v1beta1", kind: "EgressSelectorConfiguration" };
  writeFileSync(selection, JSON.stringify({ ...egress, egressSelections: [{ name: "cluster", connection }] }));
  const started = world.host("node").start(process.execPath, [programPath("../node/kubelet-tunnel.mjs"), tunnel]);
  await started.waitForLine("tunnelling");
  const user = { name: `system:node:${nodeName}`, groups: ["system:nodes"], token };
  const plane = await ControlPlane.start({
    users: [user],
    flags: [`--egress-selector-config-file=${selection}`, "--kubelet-preferred-address-types=InternalIP"],
  });
  plane.startControllers();
  await plane.cluster.installDefinitions();
  return plane;
}

/** Inside the node the API server is where it is for everybody, and where the service `kubernetes` leads. */
async function joinApi(cluster: Cluster, world: World, ending: (() => Promise<void>)[]): Promise<void> {
  const node = world.host("node");
  const path = join(world.folder, "api.sock");
  const way = await ApiRelay.start(cluster.access, path);
  ending.push(() => way.stop());
  const { hostname, port } = new URL(cluster.access.server);
  await node.expect("ip", ["address", "add", `${advertisedAddress}/32`, "dev", "lo"]);
  // What is sent to a service begins with a route, before it is rewritten.
  await node.expect("ip", ["route", "add", "default", "dev", node.link]);
  for (const address of [hostname, advertisedAddress]) {
    const inside = node.start(process.execPath, [programPath("../cluster/socket-relay.mjs"), address, port, path]);
    await inside.waitForLine("relaying");
  }
}

function logOf(machine: NodeMachine, name: string): string {
  return readFileSync(join(machine.folder, `${name}.log`), "utf8")
    .split("\n")
    .slice(-40)
    .join("\n");
}
