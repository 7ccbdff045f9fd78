import type { Clock } from "./clock.ts";
import type { ConfigSource } from "./config-source/config-source.ts";
import { ConfigMapSource } from "./config-source/configmap-source.ts";
import { CrdSource } from "./config-source/crd-source.ts";
import { SequenceTerms } from "./config-source/sequence-terms.ts";
import type { GrantEvent } from "./grant/grant-report.ts";
import { ApiClient } from "./kubernetes/api-client.ts";
import type { KubeCredentials } from "./kubernetes/credentials.ts";
import { NodeWatch } from "./kubernetes/node-watch.ts";
import type { ReflectorReport } from "./kubernetes/reflector-report.ts";
import type { KubeObject } from "./kubernetes/resource.ts";
import { Watches } from "./kubernetes/watches.ts";
import { type AgentView, KubernetesStatus } from "./kubernetes-status.ts";
import { NodeLabelsFile } from "./node-labels-file.ts";
import { type AgentOptions, readsApi } from "./options.ts";
import type { NodeLabels } from "./policy/node-selector.ts";
import { GrantReplicator, type GrantReplicatorOptions } from "./replication/grant-replicator.ts";

/** What the Kubernetes side works with. */
export interface KubernetesSurroundings {
  readonly clock: Clock;
  readonly report: ReflectorReport;
  /** One sentence for the log. */
  readonly warned: (message: string) => void;
}

/** What doors on every node need of the stages around them. */
export type GrantStage = Pick<GrantReplicatorOptions, "doors" | "isNeverGranted" | "report" | "grants">;

/** The Kubernetes side of an agent: the watches of its policies, of what their Secrets hold, and of its node. */
export class KubernetesStages {
  /** In the order in which their policies count. */
  readonly sources: readonly ConfigSource[];
  /** Where policies and objects that name no namespace belong. */
  readonly namespace: string;
  private readonly client: ApiClient;
  private readonly watches: Watches;
  private readonly clock: Clock;
  private readonly nodeName: string | undefined;
  /** Undefined: all. */
  private readonly namespaces: readonly string[] | undefined;
  private readonly crd: CrdSource | undefined;
  private readonly terms = new SequenceTerms();
  private readonly node: NodeWatch | undefined;
  private readonly status: KubernetesStatus | undefined;
  private readonly labelsFile: NodeLabelsFile | undefined;
  private readonly warned: (message: string) => void;
  private labelsChanged: () => void = () => {};

  private constructor(
    options: AgentOptions,
    { clock, report, warned }: KubernetesSurroundings,
    { credentials, namespace }: { readonly credentials: KubeCredentials; readonly namespace: string },
  ) {
    this.namespace = namespace;
    this.client = new ApiClient({ credentials, clock });
    const watches = new Watches({ client: this.client, clock, random: Math.random, report });
    this.watches = watches;
    this.clock = clock;
    this.warned = warned;
    const { nodeName, allNamespaces, stateDir } = options;
    this.nodeName = nodeName === "" ? undefined : nodeName;
    if (nodeName !== "") {
      this.labelsFile = new NodeLabelsFile(stateDir, nodeName);
      this.node = new NodeWatch(watches, nodeName, () => this.relabelled(), this.rememberedLabels());
    }
    const own = options.namespaces.length > 0 ? options.namespaces : [namespace];
    const namespaces = allNamespaces ? undefined : own;
    this.namespaces = namespaces;
    const nodeLabels = () => this.nodeLabels;
    if (options.crd) {
      const nodeUid = () => this.node?.uid;
      const { client } = this;
      const { interfaces } = options;
      this.status = new KubernetesStatus({ client, clock, namespace, nodeName, nodeUid, interfaces, warned });
      const seen = (objects: readonly KubeObject[], isWhole: boolean) => {
        this.terms.take(objects, isWhole);
        this.status?.take(objects);
      };
      this.crd = new CrdSource({ watches, clock, namespaces, nodeLabels, seen });
    }
    const configMaps = options.configMaps.map((configMap) => new ConfigMapSource({ watches, clock, configMap }));
    this.sources = [...configMaps, ...(this.crd === undefined ? [] : [this.crd])];
  }

  /** Undefined where the options ask for nothing of the API: then nothing of it is loaded. */
  static async open(
    options: AgentOptions,
    surroundings: KubernetesSurroundings,
  ): Promise<KubernetesStages | undefined> {
    if (!readsApi(options)) return undefined;
    const { KubeCredentials, ownNamespace } = await import("./kubernetes/credentials.ts");
    const kubeconfig = options.kubeconfig === "" ? undefined : options.kubeconfig;
    const namespace = ownNamespace(kubeconfig, process.env);
    if (namespace === undefined && options.crd && options.namespaces.length === 0 && !options.allNamespaces)
      throw new Error("Which namespace is the agent's own is not known: set POD_NAMESPACE, or pass --namespace.");
    const credentials = new KubeCredentials(surroundings.clock, { path: kubeconfig, reader: "agent" });
    return new KubernetesStages(options, surroundings, { credentials, namespace: namespace ?? "default" });
  }

  /** What opens doors on every node; undefined where no KnockSequence is read. */
  createReplicator(grantStage: GrantStage): GrantReplicator | undefined {
    if (this.crd === undefined) return undefined;
    const { client, watches, clock, namespaces, nodeName: node } = this;
    const isLeader = () => this.status?.leads ?? false;
    return new GrantReplicator({
      ...grantStage,
      client,
      watches,
      clock,
      namespaces,
      node,
      isLeader,
      termsOf: (name) => this.terms.of(name),
      random: Math.random,
    });
  }

  /** What has become of a grant, for the Events of its policy. */
  granted(event: GrantEvent): void {
    this.status?.granted(event);
  }

  /** This node's labels; undefined where nobody has said them so far. */
  get nodeLabels(): NodeLabels | undefined {
    return this.node?.labels;
  }

  /**
   * Before the sources: resolves when the node is known, or when the API does not answer. `labelsChanged`: policies are to be
   * weighed again. `view` tells what the agent is.
   */
  async start(labelsChanged: () => void, view: () => AgentView): Promise<void> {
    this.labelsChanged = labelsChanged;
    this.status?.start(view);
    await this.node?.start();
  }

  /** After the sources. */
  async close(): Promise<void> {
    await Promise.all([this.status?.close(), this.node?.close()]);
    this.client.close();
  }

  /** Where objects are read, other Secrets may be needed first: their source then says when all is there. */
  private relabelled(): void {
    this.keepLabels();
    if (this.crd === undefined) this.labelsChanged();
    else this.crd.labelsChanged();
  }

  private rememberedLabels(): NodeLabels | undefined {
    try {
      return this.labelsFile?.read();
    } catch (error) {
      this.warned(`the labels of the node kept for a restart could not be read: ${(error as Error).message}`);
      return undefined;
    }
  }

  private keepLabels(): void {
    try {
      if (this.nodeLabels !== undefined) this.labelsFile?.write(this.nodeLabels);
    } catch (error) {
      this.warned(`the labels of the node could not be kept for a restart: ${(error as Error).message}`);
    }
  }
}
