// The programs of the cluster tests: those of KUBEBUILDER_ASSETS, or built once.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GoPrograms, isProgram } from "./go-programs.mjs";
import { checkout } from "./npm-packages.mjs";

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

const programs = {
  "kube-apiserver": kubernetesProgram("kube-apiserver", "3 minutes"),
  kubectl: kubernetesProgram("kubectl", "20 seconds"),
  etcd: { module: join(modules, "etcd"), source: "go.etcd.io/etcd/server/v3", flags: [], takes: "20 seconds" },
};
const built = new GoPrograms(`kube-${version}`, programs);

function kubernetesProgram(name, takes) {
  return { module: kubernetes, source: `k8s.io/kubernetes/cmd/${name}`, flags: kubernetesFlags, takes };
}

/** What is missing on this machine to have the programs; undefined when they are there or can be built. */
export function programsObstacle() {
  const given = process.env.KUBEBUILDER_ASSETS;
  if (!given) {
    const obstacle = built.obstacle();
    return obstacle && `${obstacle}, or KUBEBUILDER_ASSETS naming a folder that has them`;
  }
  const missing = Object.keys(programs).filter((name) => !isProgram(join(given, name)));
  return missing.length === 0 ? undefined : `${missing.join(", ")} in KUBEBUILDER_ASSETS (${given})`;
}

/** The folder that has all programs, after those missing have been built. */
export async function ensurePrograms() {
  return process.env.KUBEBUILDER_ASSETS || (await built.ensure());
}
