import type { Cluster } from "./cluster.ts";

/** What differs from a plain KnockSequence. */
export interface SequenceManifest {
  readonly namespace: string;
  readonly name: string;
  readonly steps?: readonly string[];
  /** Instead of steps: the key `steps` of a Secret. */
  readonly secret?: string;
  readonly port: number;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

/** A KnockSequence. */
export function sequenceManifest({ namespace, name, steps, secret, port, nodeSelector }: SequenceManifest) {
  const stepsFrom = { secretKeyRef: { name: secret, key: "steps" } };
  return {
    apiVersion: "knockgate.io/v1alpha1",
    kind: "KnockSequence",
    metadata: { namespace, name },
    spec: {
      knock: secret === undefined ? { steps } : { stepsFrom },
      opens: { ports: [`${port}/tcp`], for: "60s" },
      ...(nodeSelector !== undefined && { nodeSelector }),
    },
  };
}

/** A Secret with steps in its key `steps`. */
export function secretManifest(namespace: string, name: string, steps: readonly string[]) {
  return { apiVersion: "v1", kind: "Secret", metadata: { namespace, name }, stringData: { steps: steps.join(", ") } };
}

/** A Node object, which no kubelet stands behind. */
export function nodeManifest(name: string, labels: Readonly<Record<string, string>>) {
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
}

/** A Pod on a node, which no kubelet starts: a token can be bound to it. */
export function podManifest(namespace: string, name: string, on: { readonly account: string; readonly node: string }) {
  const containers = [{ name: "agent", image: "knockgate" }];
  const spec = { serviceAccountName: on.account, nodeName: on.node, containers };
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name }, spec };
}

/** Makes objects, or makes them so. */
export async function apply(cluster: Cluster, ...objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  const flags = ["--server-side", "--force-conflicts"];
  await cluster.expect(["apply", ...flags, "-f", "-"], { input: JSON.stringify(list) });
}
