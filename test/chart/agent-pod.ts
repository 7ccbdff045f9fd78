import { find, type Rendered, render, type Values } from "./chart.ts";

/** A container, as far as tests look into it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly ports?: readonly object[];
  readonly restartPolicy?: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly [field: string]: unknown;
}

/** The spec of a pod. */
export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

/** The pod template of a workload. */
export function podOf(workload: Rendered | undefined): PodSpec {
  const spec = workload?.spec as { readonly template: { readonly spec: PodSpec } };
  return workload?.kind === "Pod" ? (workload.spec as PodSpec) : spec.template.spec;
}

/** The agent's pod and container with these values, and everything rendered. */
export async function agentPod(values: Values = {}) {
  const objects = await render(values);
  const isSidecar = values.kind === "Sidecar";
  const name = (values.fullnameOverride as string | undefined) ?? "gate-knockgate";
  const workload = find(objects, isSidecar ? "Deployment" : "DaemonSet", name);
  const pod = podOf(workload);
  const container = [...(pod.initContainers ?? []), ...pod.containers].find((each) => each.name === "knockgate");
  if (workload === undefined || container === undefined) throw new Error("there is no agent");
  return { objects, workload, pod, container, args: container.args ?? [] };
}

/** Every container of every pod that the chart makes, hooks among them, with the name of its workload. */
export function allContainers(objects: readonly Rendered[]): readonly (readonly [string, Container])[] {
  const workloads = objects.filter(({ kind }) => ["DaemonSet", "Deployment", "Job", "Pod"].includes(kind));
  return workloads.flatMap((workload) => {
    const { containers, initContainers = [] } = podOf(workload);
    return [...initContainers, ...containers].map(
      (container) => [`${workload.kind} ${workload.metadata.name}: ${container.name}`, container] as const,
    );
  });
}
