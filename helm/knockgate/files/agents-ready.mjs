// `helm test`: every agent that there should be is ready, and all are of one version. Agents that listen on the pod's address
// are asked themselves; of those on the loopback of other nodes the API says whether they are ready.
import { ask, askAgent, isReady, listPods, lookUntil } from "./kubernetes-api.mjs";

const { NAMESPACE: namespace, WORKLOAD: workload, SELECTOR: selector, LISTEN_ON: listenOn, PORT: port } = process.env;

/** What keeps the release from being ready; an empty list when nothing does. */
async function obstacles() {
  const { spec, status } = await ask(`/apis/apps/v1/namespaces/${namespace}/${workload}`);
  const wanted = status.desiredNumberScheduled ?? spec.replicas;
  const pods = (await listPods(namespace, selector)).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const found = [];
  if (!(wanted > 0)) found.push(`${workload} wants no agent: no node fits its nodeSelector, affinity and tolerations`);
  if (pods.length < wanted) found.push(`${wanted} agents are wanted, ${pods.length} are there`);
  for (const pod of pods) if (!isReady(pod)) found.push(`${named(pod)} is not ready${await reason(pod)}`);
  return { found, pods };
}

function named(pod) {
  return `${pod.metadata.name} on ${pod.spec.nodeName ?? "no node yet"}`;
}

async function reason(pod) {
  if (listenOn !== "PodIP" || !pod.status.podIP) return "";
  const { text } = await askAgent(pod.status.podIP, port, "/readyz");
  return `: ${text}`;
}

/** `knockgate_build_info{version="0.1.0",…} 1`, asked of the agent itself. */
async function versionOf(pod) {
  const { text } = await askAgent(pod.status.podIP, port, "/metrics");
  return /^knockgate_build_info\{[^}]*\bversion="([^"]*)"/m.exec(text)?.[1];
}

let last = { found: ["nothing was seen"], pods: [] };
await lookUntil(async () => {
  last = await obstacles();
  return last.found.length === 0 ? last : undefined;
});
for (const obstacle of last.found) console.error(obstacle);
if (last.found.length > 0) process.exit(1);

const versions = new Set();
for (const pod of last.pods) {
  const version = listenOn === "PodIP" ? await versionOf(pod) : undefined;
  if (listenOn === "PodIP") versions.add(version);
  console.log(`${named(pod)}: ready${version === undefined ? "" : `, version ${version}`}`);
}
if (versions.has(undefined) || versions.size > 1) {
  console.error(`the agents are not of one version: ${[...versions].join(", ")}`);
  process.exit(1);
}
