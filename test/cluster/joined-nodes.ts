import { join } from "node:path";
import { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { type Host, programPath } from "../netns/host.ts";
import { World } from "../netns/world.ts";
import { ApiRelay } from "./api-relay.ts";
import type { Cluster } from "./cluster.ts";
import { nodeManifest } from "./manifests.ts";

/** One node of several: a network namespace with a service and a way to the API server of its own. */
export interface JoinedNode {
  readonly name: string;
  readonly host: Host;
  readonly way: ApiRelay;
}

/** Nodes on one segment that share an API server, and a visitor before them. */
export class JoinedNodes {
  readonly world: World;
  readonly visitor: Host;
  readonly nodes: readonly JoinedNode[];
  private readonly cluster: Cluster;

  private constructor(cluster: Cluster, world: World, nodes: readonly JoinedNode[]) {
    this.cluster = cluster;
    this.world = world;
    this.visitor = world.host("visitor");
    this.nodes = nodes;
  }

  /** Resolves when the API server has the Node objects, and `ports` are served on every node. */
  static async build(cluster: Cluster, names: readonly string[], ports: readonly string[]): Promise<JoinedNodes> {
    const world = await World.build("nodes", [...names, "visitor"]);
    const nodes = await Promise.all(names.map((name) => joinNode(cluster, world, name)));
    for (const { host } of nodes) await host.serve(ports);
    const objects = names.map((name) => nodeManifest(name, { role: "bastion" }));
    await cluster.expect(["apply", "-f", "-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
    });
    return new JoinedNodes(cluster, world, nodes);
  }

  /** A node by its name. */
  node(name: string): JoinedNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  /** An agent on a node that reads a namespace as the administrator; ready. `folder` is that of one before. */
  async startAgent(name: string, namespace: string, folder?: string): Promise<AgentProcess> {
    const { host } = this.node(name);
    const args = ["--kubeconfig", this.cluster.kubeconfig, "--crd", "--namespace", namespace, "--node-name", name];
    const agent = AgentProcess.launch(this.world, host, { args, ...(folder !== undefined && { folder }) });
    await agent.ready(30_000);
    return agent;
  }

  /** The visitor knocks on one node. */
  async knock(name: string, steps: readonly string[]): Promise<void> {
    await this.visitor.knock(this.node(name).host.ipv4, steps);
  }

  /** Resolves when the visitor meets a port of these nodes so. */
  async until(port: number, outcome: "open" | "silent", ...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await eventually(async () => (await this.meets(port, name)) === outcome, {
        what: `port ${port} of ${name} to be ${outcome}`,
        timeoutMs: 30_000,
      });
    }
  }

  /** What the visitor meets at a port of a node. */
  meets(port: number, name: string): Promise<string> {
    return this.visitor.connect(this.node(name).host.ipv4, port, { timeoutMs: 300 });
  }

  async remove(): Promise<void> {
    for (const { way } of this.nodes) await way.stop();
    await this.world.remove();
  }
}

/** The API server's address is the same inside: what is sent to it goes through a unix socket to the real one. */
async function joinNode(cluster: Cluster, world: World, name: string): Promise<JoinedNode> {
  const host = world.host(name);
  const path = join(world.folder, `${name}.sock`);
  const way = await ApiRelay.start(cluster.access, path);
  const { hostname, port } = new URL(cluster.access.server);
  const inside = host.start(process.execPath, [programPath("../cluster/socket-relay.mjs"), hostname, port, path]);
  await inside.waitForLine("relaying");
  return { name, host, way };
}
