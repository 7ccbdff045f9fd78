// The programs of the cluster tests: those of KUBEBUILDER_ASSETS, or built once.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GoPrograms, isProgram } from "./go-programs.mjs";
import { checkout } from "./npm-packages.mjs";

/** As it was before a run sets it for its tests. */
const given = process.env.KUBEBUILDER_ASSETS;
const modules = join(checkout, "test/cluster/programs");
const kubernetes = join(modules, "kubernetes");
const version = /^\s*(?:require )?k8s\.io\/kubernetes v(\S+)/m.exec(
  readFileSync(join(kubernetes, "go.mod"), "utf8"),
)[1];
const [major, minor] = version.split(".");
/** What a build of Kubernetes says of itself; Helm reads it. */
const versionFlags = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
const kubernetesFlags = Object.entries(versionFlags).map(
  ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
);

/** What tests of the API are run with; envtest's folders have as much. */
const ofApi = {
  "kube-apiserver": kubernetesProgram("kube-apiserver", "3 minutes"),
  kubectl: kubernetesProgram("kubectl", "20 seconds"),
  etcd: { module: join(modules, "etcd"), source: "go.etcd.io/etcd/server/v3", flags: [], takes: "20 seconds" },
};
/** What a node that runs pods takes besides. */
const ofNode = {
  ...ofApi,
  "kube-controller-manager": kubernetesProgram("kube-controller-manager", "a minute"),
  "kube-scheduler": kubernetesProgram("kube-scheduler", "10 seconds"),
  kubelet: kubernetesProgram("kubelet", "20 seconds"),
  "kube-proxy": kubernetesProgram("kube-proxy", "10 seconds"),
};

function kubernetesProgram(name, takes) {
  return { module: kubernetes, source: `k8s.io/kubernetes/cmd/${name}`, flags: kubernetesFlags, takes };
}

/** What is missing on this machine to have an API server; undefined when its programs are there or can be built. */
export function programsObstacle() {
  return obstacle(ofApi);
}

/** The same for a whole node. */
export function nodeProgramsObstacle() {
  return obstacle(ofNode);
}

/** The folder that has the programs of an API server, after those missing have been built. */
export function ensurePrograms() {
  return ensure(ofApi);
}

/** The same for a whole node. */
export function ensureNodePrograms() {
  return ensure(ofNode);
}

function obstacle(programs) {
  if (!given) {
    const found = new GoPrograms(`kube-${version}`, programs).obstacle();
    return found && `${found}, or KUBEBUILDER_ASSETS naming a folder that has them`;
  }
  const missing = Object.keys(programs).filter((name) => !isProgram(join(given, name)));
  return missing.length === 0 ? undefined : `${missing.join(", ")} in KUBEBUILDER_ASSETS (${given})`;
}

async function ensure(programs) {
  return given || (await new GoPrograms(`kube-${version}`, programs).ensure());
}
