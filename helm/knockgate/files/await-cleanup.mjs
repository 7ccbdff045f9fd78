// After `helm uninstall`: waits until the table is removed from every node that can be reached, and removes what the agents
// wrote of themselves. A node that is gone holds nothing up: it is named, and the table on it is gone with its next boot.
import { ask, isReady, listPods, lookUntil } from "./kubernetes-api.mjs";

const { NAMESPACE: namespace, DAEMONSET: daemonSet, SELECTOR: selector } = process.env;

/** Pods by what became of them; `desired` is undefined while the controller has not looked yet. */
async function look() {
  const { metadata, status } = await ask(`/apis/apps/v1/namespaces/${namespace}/daemonsets/${daemonSet}`);
  const isSeen = status.observedGeneration >= metadata.generation;
  const pods = await listPods(namespace, selector);
  return {
    desired: isSeen ? status.desiredNumberScheduled : undefined,
    done: pods.filter(isReady),
    failed: pods.filter((pod) => !isReady(pod) && hasFailed(pod)),
    unreached: pods.filter((pod) => !isReady(pod) && !hasFailed(pod)),
  };
}

/** Its node has run it, and the table could not be removed. */
function hasFailed(pod) {
  return (pod.status.initContainerStatuses ?? []).some(
    ({ state, lastState }) => (state?.terminated ?? lastState?.terminated)?.exitCode > 0,
  );
}

function nodes(pods) {
  return pods.map(({ spec, metadata }) => spec.nodeName ?? metadata.name).sort();
}

/** Rows of nodes without an agent, and the sign of life of one that is gone. Where the CRDs are gone too there is nothing. */
async function removeTraces(names) {
  for (const name of names) {
    await ask(`/apis/knockgate.io/v1alpha1/knocknodes/${name}`, { method: "DELETE", allowed: [404] });
  }
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/knockgate`;
  await ask(lease, { method: "DELETE", allowed: [404] });
}

let last = { desired: undefined, done: [], failed: [], unreached: [] };
await lookUntil(async () => {
  last = await look();
  return last.desired !== undefined && last.done.length >= last.desired ? last : undefined;
});
if (last.desired === undefined) {
  console.error(`${daemonSet} has no pods: no controller has looked at it`);
  process.exit(1);
}
await removeTraces(nodes(last.done));
console.log(`the table is removed from ${last.done.length} nodes`);
if (last.unreached.length > 0) {
  console.log(
    `not reached: ${nodes(last.unreached).join(", ")}; ports are guarded there until the next boot without boot unit`,
  );
}
if (last.failed.length > 0) {
  console.error(`not removed from ${nodes(last.failed).join(", ")}: see the logs of the pods of ${daemonSet}`);
  process.exit(1);
}
