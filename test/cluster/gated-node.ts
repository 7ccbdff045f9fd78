import { join } from "node:path";
import { type AgentOptions, AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { type Host, programPath } from "../netns/host.ts";
import { World } from "../netns/world.ts";
import { ApiRelay } from "./api-relay.ts";
import type { Cluster } from "./cluster.ts";

/**
 * A node with a gate, and a visitor before it, each a network namespace. The API server's address is the same inside: what is
 * sent to it goes through a unix socket to the real one, by a way that a test can cut.
 */
export class GatedNode {
  readonly world: World;
  readonly gate: Host;
  readonly visitor: Host;
  readonly way: ApiRelay;
  private readonly cluster: Cluster;

  private constructor(cluster: Cluster, world: World, way: ApiRelay) {
    this.cluster = cluster;
    this.world = world;
    this.way = way;
    this.gate = world.host("gate");
    this.visitor = world.host("visitor");
  }

  /** Everything with `ports` served behind the gate. */
  static async build(cluster: Cluster, ports: readonly string[]): Promise<GatedNode> {
    const world = await World.build("node", ["gate", "visitor"]);
    const path = join(world.folder, "api.sock");
    const node = new GatedNode(cluster, world, await ApiRelay.start(cluster.access, path));
    const { hostname, port } = new URL(cluster.access.server);
    const program = programPath("../cluster/socket-relay.mjs");
    const inside = node.gate.start(process.execPath, [program, hostname, port, path]);
    await inside.waitForLine("relaying");
    await node.gate.serve(ports);
    return node;
  }

  /**
   * An agent with these flags that reads the API as the administrator, unless its options name another kubeconfig or say that it
   * is in a pod.
   */
  launch(args: readonly string[], options: AgentOptions = {}): AgentProcess {
    const isPod = options.env?.KUBERNETES_SERVICE_HOST !== undefined;
    const readsApi = args.includes("--crd") || args.includes("--configmap");
    const needs = readsApi && !isPod && !args.includes("--kubeconfig");
    const given = needs ? ["--kubeconfig", this.cluster.kubeconfig] : [];
    return AgentProcess.launch(this.world, this.gate, { ...options, args: [...given, ...args] });
  }

  /** Resolves when a port of the gate is met so by a stranger. */
  async until(port: number, outcome: "open" | "silent"): Promise<void> {
    await eventually(async () => (await this.visitor.connect(this.gate.ipv4, port, { timeoutMs: 300 })) === outcome, {
      what: `port ${port} to be ${outcome}`,
      timeoutMs: 30_000,
    });
  }

  /** What a stranger meets at a port. */
  meets(port: number): Promise<string> {
    return this.visitor.connect(this.gate.ipv4, port, { timeoutMs: 500 });
  }

  /** A stranger knocks. */
  async knock(...steps: readonly string[]): Promise<void> {
    await this.visitor.knock(this.gate.ipv4, steps);
  }

  /** Ends everything and removes it. */
  async remove(): Promise<void> {
    await this.way.stop();
    await this.world.remove();
  }
}
