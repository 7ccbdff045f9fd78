import type { ApiClient } from "../kubernetes/api-client.ts";
import type { KubeObject } from "../kubernetes/resource.ts";

/** The labels of agents' pods, as the chart sets them. */
export const agentSelector = "app.kubernetes.io/name=knockgate,app.kubernetes.io/component=agent";

/** A pod with an agent in it. */
export interface AgentPod {
  readonly namespace: string;
  readonly name: string;
  /** Empty before it has one. */
  readonly node: string;
  /** What it is called for people: by its node, or as `node/pod` where that has several. */
  readonly place: string;
  readonly container: string;
  /** Its phase where that is not `Running`. */
  readonly trouble: string | undefined;
}

/** The parts of a Pod that are read here. */
interface Pod {
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly { readonly name?: string }[];
    readonly initContainers?: readonly { readonly name?: string }[];
  };
  readonly status?: { readonly phase?: string };
}

/** The agents' pods of a namespace, or of all. Rejects with ApiError. */
export async function listAgentPods(
  client: Pick<ApiClient, "list">,
  { namespace, labelSelector }: { readonly namespace: string | undefined; readonly labelSelector: string },
  signal: AbortSignal,
): Promise<readonly AgentPod[]> {
  const kind = { group: "", version: "v1", plural: "pods" };
  const { body } = await client.list({ kind, namespace, labelSelector }, signal);
  const pods = body.objects.map(podOf);
  return pods.map((pod) => {
    const isAlone = pod.node !== "" && pods.filter(({ node }) => node === pod.node).length === 1;
    return { ...pod, place: isAlone ? pod.node : `${pod.node || "-"}/${pod.name}` };
  });
}

function podOf(object: KubeObject): Omit<AgentPod, "place"> {
  const { spec, status } = object as Pod;
  const { namespace = "", name } = object.metadata;
  const phase = status?.phase ?? "Unknown";
  return {
    namespace,
    name,
    node: spec?.nodeName ?? "",
    container: containerOf(spec),
    trouble: phase === "Running" ? undefined : phase,
  };
}

/** As a sidecar the agent is an init container that does not end. */
function containerOf(spec: Pod["spec"]): string {
  const names = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map(({ name }) => name);
  return names.find((name) => name === "knockgate") ?? names[0] ?? "knockgate";
}
