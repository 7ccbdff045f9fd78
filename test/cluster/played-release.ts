import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { podOf } from "../chart/agent-pod.ts";
import { find, type Rendered, render, specOf, type Values } from "../chart/chart.ts";
import { type RunResult, runToEnd } from "../netns/running-process.ts";
import type { Cluster } from "./cluster.ts";
import { apply } from "./manifests.ts";

/** A pod that no kubelet stands behind, as its controller would have made it. */
interface PlayedPod {
  readonly node: string;
  readonly isReady?: boolean;
  /** How its init container has ended last. */
  readonly initExitCode?: number;
}

/** The release of a namespace of its own, whose DaemonSets have the pods and the status that the test says: nothing runs. */
export class PlayedRelease {
  readonly namespace: string;
  private readonly cluster: Cluster;
  private readonly objects: readonly Rendered[];
  /** The workload that a script looks at, and that script's own. */
  private readonly names: { readonly watched: string; readonly script: "Pod" | "Job" };

  private constructor(
    cluster: Cluster,
    namespace: string,
    objects: readonly Rendered[],
    names: PlayedRelease["names"],
  ) {
    this.cluster = cluster;
    this.namespace = namespace;
    this.objects = objects;
    this.names = names;
  }

  /** Makes those objects of the chart that a script needs: the workload that it watches, its account and its roles. */
  static async make(cluster: Cluster, names: PlayedRelease["names"], values: Values = {}): Promise<PlayedRelease> {
    const namespace = await cluster.createNamespace(["default"]);
    const objects = await render(values, namespace);
    const account = podOf(find(objects, names.script)).serviceAccountName as string;
    const own = new Set([names.watched, account, `${namespace}-${account}`]);
    const kinds = /^(DaemonSet|ServiceAccount|(Cluster)?Role(Binding)?)$/;
    const needed = objects.filter(({ kind, metadata }) => kinds.test(kind) && own.has(metadata.name));
    await apply(cluster, ...needed);
    return new PlayedRelease(cluster, namespace, objects, names);
  }

  /** Gives the DaemonSet a status and pods. */
  async play(desired: number, pods: readonly PlayedPod[]): Promise<void> {
    const daemonSet = `/apis/apps/v1/namespaces/${this.namespace}/daemonsets/${this.names.watched}`;
    const unread = { currentNumberScheduled: pods.length, numberMisscheduled: 0, numberReady: 0 };
    const status = { observedGeneration: 1, desiredNumberScheduled: desired, ...unread };
    await this.patch(`${daemonSet}/status`, { status });
    for (const [index, pod] of pods.entries()) await this.addPod(`pod-${index}`, pod);
  }

  private async addPod(name: string, { node, isReady = false, initExitCode }: PlayedPod): Promise<void> {
    const { template } = specOf<{ readonly template: { readonly metadata: object } }>(
      this.objects,
      "DaemonSet",
      this.names.watched,
    );
    const containers = [{ name: "done", image: "none" }];
    const spec = { nodeName: node, containers, automountServiceAccountToken: false, terminationGracePeriodSeconds: 0 };
    const metadata = { ...template.metadata, namespace: this.namespace, name };
    await apply(this.cluster, { apiVersion: "v1", kind: "Pod", metadata, spec });
    const terminated = { exitCode: initExitCode, reason: "Error", startedAt: null, finishedAt: null };
    const init = {
      name: "cleanup",
      image: "none",
      imageID: "",
      ready: false,
      restartCount: 1,
      lastState: { terminated },
    };
    await this.patch(`/api/v1/namespaces/${this.namespace}/pods/${name}/status`, {
      status: {
        podIP: "127.0.0.1",
        podIPs: [{ ip: "127.0.0.1" }],
        conditions: [{ type: "Ready", status: isReady ? "True" : "False" }],
        ...(initExitCode !== undefined && { initContainerStatuses: [init] }),
      },
    });
  }

  private async patch(path: string, body: object): Promise<void> {
    const answer = await this.cluster.ask({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    if (answer.status !== 200) throw new Error(answer.text);
  }

  /** Runs the script as its pod would: with its own token, environment and no other right. */
  async run(changed: Readonly<Record<string, string>> = {}): Promise<RunResult> {
    const pod = podOf(find(this.objects, this.names.script));
    const [container] = pod.containers;
    const [command = "", ...args] = container?.command ?? [];
    const own = Object.fromEntries((container?.env ?? []).map(({ name, value = "" }) => [name, value]));
    const { hostname, port } = new URL(this.cluster.access.server);
    const api = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const account = await this.writeAccount(pod.serviceAccountName as string);
    const env = { ...api, ...own, TIMEOUT_SECONDS: "0", ...changed, ACCOUNT_FOLDER: account };
    return await runToEnd(command === "node" ? process.execPath : command, args, { env });
  }

  private async writeAccount(name: string): Promise<string> {
    const folder = join(this.cluster.access.folder, `account-${this.namespace}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "token"), await this.cluster.serviceAccountToken(this.namespace, name));
    writeFileSync(join(folder, "ca.crt"), this.cluster.access.certificate);
    return folder;
  }
}
