import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { AgentOptions, AgentProcess } from "../netns/agent-process.ts";
import type { Cluster } from "./cluster.ts";
import { ControlPlane } from "./control-plane.ts";
import { GatedNode } from "./gated-node.ts";
import { apply, type SequenceManifest, sequenceManifest } from "./manifests.ts";

/** What every file that plays one node against an API server of its own begins with. */
interface Scene {
  readonly plane: ControlPlane;
  readonly node: GatedNode;
}

/**
 * A control plane with the CRDs, a gated node, and for each test a namespace with the service account `agent`. Agents started
 * here end before anything is taken from under them: one that still runs repairs its table, and would leave it to the next test.
 */
export class GatedCluster {
  private scene: Scene | undefined;
  private current = "";
  private agents: AgentProcess[] = [];

  /** For the tests of the file or group that calls it; `ports` are served behind the gate. */
  static forTests(ports: readonly string[]): GatedCluster {
    const gated = new GatedCluster();
    beforeAll(() => gated.build(ports));
    afterAll(() => gated.tearDown());
    beforeEach(() => gated.begin());
    afterEach(() => gated.end());
    return gated;
  }

  get plane(): ControlPlane {
    return this.built.plane;
  }

  get node(): GatedNode {
    return this.built.node;
  }

  get cluster(): Cluster {
    return this.plane.cluster;
  }

  /** Of the running test. */
  get namespace(): string {
    return this.current;
  }

  /** An agent with these flags that ends with the test, not waited for. */
  launch(args: readonly string[], options: AgentOptions = {}): AgentProcess {
    const agent = this.node.launch(args, options);
    this.agents.push(agent);
    return agent;
  }

  /** One that reads the KnockSequences of the test's namespace, ready. */
  async startAgent(args: readonly string[] = [], options: AgentOptions = {}): Promise<AgentProcess> {
    const agent = this.launch(["--crd", "--namespace", this.namespace, ...args], options);
    await agent.ready(30_000);
    return agent;
  }

  /** Makes objects, or makes them so. */
  make(...objects: readonly object[]): Promise<void> {
    return apply(this.cluster, ...objects);
  }

  /** Deletes an object of the test's namespace. */
  async remove(kind: string, name: string): Promise<void> {
    await this.cluster.expect(["delete", kind, "-n", this.namespace, name]);
  }

  /** A KnockSequence of the test's namespace. */
  sequence(name: string, more: Omit<SequenceManifest, "namespace" | "name">) {
    return sequenceManifest({ namespace: this.namespace, name, ...more });
  }

  /** The names of policies as agents say them. */
  policies(...names: readonly string[]): readonly string[] {
    return names.map((name) => `${this.namespace}/${name}`);
  }

  private get built(): Scene {
    if (this.scene === undefined) throw new Error("there is no control plane outside of tests");
    return this.scene;
  }

  private async build(ports: readonly string[]): Promise<void> {
    const plane = await ControlPlane.start();
    await plane.cluster.installDefinitions();
    this.scene = { plane, node: await GatedNode.build(plane.cluster, ports) };
  }

  private async begin(): Promise<void> {
    this.current = await this.cluster.createNamespace(["agent"]);
  }

  private async end(): Promise<void> {
    await Promise.all(this.agents.splice(0).map((agent) => agent.stop()));
    this.node.way.open();
    await this.node.gate.run("nft", ["delete", "table", "inet", "knockgate"]);
  }

  private async tearDown(): Promise<void> {
    await this.scene?.node.remove();
    await this.scene?.plane.stop();
  }
}
