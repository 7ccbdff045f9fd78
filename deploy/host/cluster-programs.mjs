// The programs of the cluster tests: those of KUBEBUILDER_ASSETS, or built once from their Go modules into a cache outside the checkout.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { checkout } from "./npm-packages.mjs";
import { CannotGoOn, lastLines, longRun } from "./progress.mjs";

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
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "knockgate", `kube-${version}`);

/** By name: the module that builds it, its package, what the linker is told, and how long that takes on two cores. */
const programs = {
  "kube-apiserver": kubernetesProgram("kube-apiserver", "3 minutes"),
  kubectl: kubernetesProgram("kubectl", "20 seconds"),
  etcd: { module: join(modules, "etcd"), source: "go.etcd.io/etcd/server/v3", flags: [], takes: "20 seconds" },
};

function kubernetesProgram(name, takes) {
  return { module: kubernetes, source: `k8s.io/kubernetes/cmd/${name}`, flags: kubernetesFlags, takes };
}

/** What is missing on this machine to have the programs; undefined when they are there or can be built. */
export function programsObstacle() {
  const given = process.env.KUBEBUILDER_ASSETS;
  if (given) {
    const missing = Object.keys(programs).filter((name) => !isProgram(join(given, name)));
    return missing.length === 0 ? undefined : `${missing.join(", ")} in KUBEBUILDER_ASSETS (${given})`;
  }
  if (outdated().length === 0) return undefined;
  // In the module's folder, where Go takes the version that go.mod asks for, if it can.
  const asked = spawnSync("go", ["env", "GOVERSION"], { cwd: kubernetes, encoding: "utf8" });
  const [, goMajor, goMinor] = /^go(\d+)\.(\d+)/.exec(asked.stdout ?? "") ?? [];
  if (Number(goMajor) > 1 || (Number(goMajor) === 1 && Number(goMinor) >= 26)) return undefined;
  return `Go 1.26 or later to build ${outdated().join(", ")}, or KUBEBUILDER_ASSETS naming a folder that has them`;
}

/** The folder that has all programs, after those missing have been built. */
export async function ensurePrograms() {
  const given = process.env.KUBEBUILDER_ASSETS;
  if (given) return given;
  mkdirSync(cache, { recursive: true });
  for (const name of outdated()) await build(name);
  return cache;
}

function outdated() {
  return Object.keys(programs).filter((name) => {
    const stamp = stampFile(name);
    return !isProgram(join(cache, name)) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== stampOf(name);
  });
}

/** Into a file of this process first: another run may be building the same, or starting it. */
async function build(name) {
  const { module, source, flags, takes } = programs[name];
  const built = join(cache, `${name}.${process.pid}`);
  const args = ["build", "-ldflags", ["-s", "-w", ...flags].join(" "), "-o", built, source];
  const env = { ...process.env, CGO_ENABLED: "0" };
  try {
    const result = await longRun(`Building ${name}, once; about ${takes} on two cores`, "go", args, {
      cwd: module,
      env,
    });
    if (!result.isDone) throw new CannotGoOn(`Go could not build ${name}:\n${lastLines(result.output)}`);
    renameSync(built, join(cache, name));
    writeFileSync(stampFile(name), stampOf(name));
  } finally {
    rmSync(built, { force: true });
  }
}

function stampFile(name) {
  return join(cache, `.${name}-stamp`);
}

/** Everything that a program is built from, and for. */
function stampOf(name) {
  const { module, source, flags } = programs[name];
  const hash = createHash("sha256").update([process.arch, source, ...flags].join("\n"));
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(module, file)));
  return hash.digest("hex");
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
