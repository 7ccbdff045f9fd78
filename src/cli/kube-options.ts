import { type Command, Option } from "commander";
import type { KubeScope } from "./command-io.ts";
import type { DoorWiring } from "./wiring.ts";

/** `host`: the API is asked with `--kube`; `kubectl`: always. */
type Guise = DoorWiring["guise"];

interface KubeFlags {
  readonly kube?: true;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: true;
}

/** Gives a command kubectl's flags; `of` says whose namespace is meant. */
export function addKubeOptions(command: Command, guise: Guise, of: string): void {
  if (guise === "host") command.option("--kube", "ask the Kubernetes API instead of an agent on this host");
  const note = guise === "host" ? "with --kube: " : "";
  command
    .addOption(new Option("--kubeconfig <PATH>", `${note}the kubeconfig; default KUBECONFIG, then ~/.kube/config`))
    .addOption(new Option("--context <NAME>", `${note}another context of it than the current one`))
    .addOption(new Option("-n, --namespace <NS>", `${note}${of} of this namespace; default the context's`))
    .addOption(new Option("-A, --all-namespaces", `${note}${of} of all namespaces`).conflicts("namespace"));
}

/** Where to look; undefined where the agent of this host is meant. Ends the program where the flags contradict each other. */
export function readKubeScope(command: Command, guise: Guise): KubeScope | undefined {
  const { kube, kubeconfig, context, namespace, allNamespaces = false } = command.opts<KubeFlags>();
  if (guise === "kubectl" || kube === true) return { kubeconfig, context, namespace, allNamespaces };
  const given = Object.entries({ kubeconfig, context, namespace, "all-namespaces": allNamespaces || undefined });
  const [first] = given.filter(([, value]) => value !== undefined);
  if (first !== undefined)
    command.error(`error: --${first[0]} is for the Kubernetes API: add --kube, or leave it out.`);
  return undefined;
}
