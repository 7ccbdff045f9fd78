import type { Cluster } from "../cluster/cluster.ts";
import { nodeManifest } from "../cluster/manifests.ts";
import { eventually } from "../netns/eventually.ts";
import { SimulatedAgent } from "./simulated-agent.ts";

/** Requests under way at once when objects are made, and agents that start at once. */
const mostAtOnce = 25;
/** The policy that opens on every node. */
const clusterPolicy = "door-0";

/** Many agents in this process, and the policies and nodes that they read. */
export class Fleet {
  readonly agents: readonly SimulatedAgent[];
  private readonly cluster: Cluster;
  private readonly namespace: string;

  private constructor(cluster: Cluster, namespace: string, agents: readonly SimulatedAgent[]) {
    this.cluster = cluster;
    this.namespace = namespace;
    this.agents = agents;
  }

  /** Makes the Node objects and the policies; the agents are still to be started. */
  static async prepare(cluster: Cluster, nodes: number, policies: number): Promise<Fleet> {
    const namespace = await cluster.createNamespace();
    const names = Array.from({ length: nodes }, (_, index) => `${namespace}-node-${index}`);
    await each(names, async (name) => create(cluster, "/api/v1/nodes", nodeManifest(name, { role: "bastion" })));
    const path = `/apis/knockgate.io/v1alpha1/namespaces/${namespace}/knocksequences`;
    const objects = Array.from({ length: policies }, (_, index) => policyObject(namespace, index));
    await each(objects, async (object) => create(cluster, path, object));
    return new Fleet(
      cluster,
      namespace,
      names.map((name) => new SimulatedAgent(cluster.kubeconfig, namespace, name)),
    );
  }

  /** Resolves when every agent has its policies in force. */
  async start(): Promise<void> {
    await each(this.agents, async (agent) => agent.start());
  }

  /** Resolves when every node has its row, and every policy its verdict. */
  async written(): Promise<void> {
    await this.until("every row to be written", async () => {
      const rows = (await this.list("knocknodes")).filter(({ metadata, status }) => {
        return metadata.name.startsWith(this.namespace) && status !== undefined;
      });
      const sequences = await this.list("knocksequences", this.namespace);
      return rows.length === this.agents.length && sequences.every(({ status }) => status !== undefined);
    });
  }

  /** Changes how long a policy opens; resolves when every agent has it in force. */
  async change(policy: string, lasts: string): Promise<void> {
    const name = `${this.namespace}/${policy}`;
    const before = this.agents[0]?.fingerprintOf(name);
    const path = `/apis/knockgate.io/v1alpha1/namespaces/${this.namespace}/knocksequences/${policy}`;
    const body = { spec: { opens: { for: lasts } } };
    await this.cluster.ask({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    const isChanged = (agent: SimulatedAgent) => agent.fingerprintOf(name) !== before;
    await this.until("every agent to follow", async () => this.agents.every(isChanged));
  }

  /** A knock of a source of its own on one of the nodes in turn. */
  knock(index: number): void {
    const agent = this.agents[index % this.agents.length];
    agent?.knock(`${this.namespace}/${clusterPolicy}`, `198.18.${index >> 8}.${index & 255}`);
  }

  /** How many doors are open on all nodes together. */
  get openDoors(): number {
    return this.agents.reduce((sum, { openDoors }) => sum + openDoors, 0);
  }

  /** Requests that had to be made again. */
  get troubles(): number {
    return this.agents.reduce((sum, { troubles }) => sum + troubles, 0);
  }

  /** Resolves when it is so. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    await eventually(isSo, { what, timeoutMs: 240_000, everyMs: 1000 });
  }

  async close(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.close()));
  }

  private async list(plural: string, namespace?: string): Promise<readonly Listed[]> {
    const where = namespace === undefined ? "" : `namespaces/${namespace}/`;
    const { text } = await this.cluster.ask({ path: `/apis/knockgate.io/v1alpha1/${where}${plural}` });
    return (JSON.parse(text) as { readonly items: readonly Listed[] }).items;
  }
}

interface Listed {
  readonly metadata: { readonly name: string };
  readonly status?: unknown;
}

/** Steps that no other has; all open the same port, as tenants of one service do. */
function policyObject(namespace: string, index: number): object {
  const steps = [`${20_000 + 7 * index}/udp`, `${30_000 + 11 * index}/tcp`, `${40_000 + 13 * index}/udp`];
  const scope = index === 0 ? "Cluster" : "Node";
  return {
    apiVersion: "knockgate.io/v1alpha1",
    kind: "KnockSequence",
    metadata: { namespace, name: `door-${index}` },
    spec: { knock: { steps, decoys: 0 }, opens: { ports: ["22/tcp"], for: "10m", scope } },
  };
}

async function create(cluster: Cluster, path: string, body: object): Promise<void> {
  const { status, text } = await cluster.ask({ method: "POST", path, body });
  if (status >= 300) throw new Error(`${path}: ${status} ${text}`);
}

async function each<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await act(next);
  };
  await Promise.all(Array.from({ length: mostAtOnce }, work));
}
