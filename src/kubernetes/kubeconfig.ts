import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";

/** Which kubeconfig is meant. */
export interface KubeconfigChoice {
  /** This file and no other; else `KUBECONFIG`, which may name several, else `~/.kube/config`. */
  readonly path?: string | undefined;
  /** Another context than the current one. */
  readonly context?: string | undefined;
  /**
   * Who asks. Both take a service account where nothing else is found, as kubectl does; in a pod without `KUBECONFIG` an agent
   * takes it first, whatever its home holds.
   */
  readonly reader: "agent" | "person";
}

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Reads it. Throws with a sentence where there is none, or where it does not have the context. */
export function loadKubeconfig(choice: KubeconfigChoice): KubeConfig {
  const config = findKubeconfig(choice);
  if (choice.context !== undefined) {
    if (config.getContextObject(choice.context) === null)
      throw new Error(`the kubeconfig has no context ${JSON.stringify(choice.context)}`);
    config.setCurrentContext(choice.context);
  }
  if (config.getCurrentCluster() === null) throw new Error("the kubeconfig has no current context, or not its cluster");
  return config;
}

/** The namespace of the context, in a pod without a kubeconfig that of its service account, else `default`. */
export function namespaceOf(config: KubeConfig): string {
  const namespace = config.getContextObject(config.currentContext)?.namespace?.trim();
  return namespace === undefined || namespace === "" ? "default" : namespace;
}

function findKubeconfig({ path, reader }: KubeconfigChoice): KubeConfig {
  if (path !== undefined) return readFiles([path]);
  const listed = process.env.KUBECONFIG ?? "";
  if (reader === "agent" && listed === "" && isInPod()) return ofServiceAccount();
  const paths = listed === "" ? [join(homedir(), ".kube/config")] : listed.split(delimiter);
  const found = readFiles(paths.filter((each) => each !== "" && existsSync(each)));
  if (found.contexts.length > 0 || found.clusters.length > 0) return found;
  if (isInPod()) return ofServiceAccount();
  throw new Error("no kubeconfig and no service account were found: pass --kubeconfig, or give the pod a token");
}

/** Several are one: of what has the same name the first file's counts (`kubectl config view` says so of KUBECONFIG). */
function readFiles(paths: readonly string[]): KubeConfig {
  const read = paths.map((path) => {
    const one = new KubeConfig();
    one.loadFromFile(path);
    return one;
  });
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: firstOfEach(read.flatMap(({ clusters }) => clusters)),
    users: firstOfEach(read.flatMap(({ users }) => users)),
    contexts: firstOfEach(read.flatMap(({ contexts }) => contexts)),
    currentContext: read.map(({ currentContext }) => currentContext).find((name) => (name ?? "") !== ""),
  });
  return config;
}

function firstOfEach<Named extends { readonly name: string }>(all: readonly Named[]): Named[] {
  return [...new Map([...all].reverse().map((one) => [one.name, one])).values()].reverse();
}

function isInPod(): boolean {
  return process.env.KUBERNETES_SERVICE_HOST !== undefined && existsSync(`${serviceAccount}/token`);
}

function ofServiceAccount(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

/** The namespace of the pod's service account; undefined outside a pod. */
export function podNamespace(): string | undefined {
  return isInPod() ? readFileSync(`${serviceAccount}/namespace`, "utf8").trim() : undefined;
}
