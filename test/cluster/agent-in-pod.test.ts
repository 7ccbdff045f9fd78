import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../netns/eventually.ts";
import { accepted, statusOf } from "./agent-view.ts";
import { GatedCluster } from "./gated-cluster.ts";

const [ssh, web] = [3001, 3002];
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const otherKnock = ["7413/udp", "9228/tcp", "8946/udp"];

const gated = GatedCluster.forTests([`${ssh}/tcp`, `${web}/tcp`]);

/** What the kubelet puts where a pod finds it, in a folder that is mounted there. */
function writeServiceAccount(files: Readonly<Record<string, string>>): string {
  const folder = join(gated.node.world.folder, "serviceaccount");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test("in a pod the agent reads its own namespace, and goes on with the renewed token when the first has run out", async () => {
  const { cluster, namespace, node } = gated;
  const what = ["--verb=get,list,watch", "--resource=knocksequences.knockgate.io,knockgrants.knockgate.io"];
  await cluster.expect(["create", "role", "-n", namespace, "policies", ...what]);
  const subject = `--serviceaccount=${namespace}:agent`;
  await cluster.expect(["create", "rolebinding", "-n", namespace, "policies", "--role=policies", subject]);
  await gated.make(gated.sequence("ssh", { steps: knock, port: ssh }));

  const token = await cluster.shortLivedToken(namespace, "agent", 5);
  const folder = writeServiceAccount({ "ca.crt": cluster.access.certificate, namespace, token });
  const place = "/run/secrets/kubernetes.io/serviceaccount";
  const mount = `mount -t tmpfs tmpfs /run; mkdir -p ${place}; mount --bind ${folder} ${place}; exec "$@"`;
  const { hostname, port } = new URL(cluster.access.server);
  const agent = gated.launch(["--crd"], {
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    through: ["sh", "-ec", mount, "sh"],
  });
  await agent.ready(30_000);
  await accepted(agent, gated.policies("ssh"));

  const isOver = async () => (await cluster.ask({ path: "/version", token })).status === 401;
  await eventually(isOver, { what: "the token to have run out", timeoutMs: 60_000, everyMs: 200 });
  node.way.cut(); // a watch outlives its token; the next one does not begin with it
  await agent.process.waitForLine("kubernetes-lost");
  node.way.open();
  await agent.process.waitForLine(/kubernetes-lost.*unauthorized/, { timeoutMs: 60_000 });
  expect((await statusOf(agent)).policies.accepted).toEqual(gated.policies("ssh"));
  expect((await agent.http("/readyz")).status).toBe(200);

  writeServiceAccount({ token: await cluster.serviceAccountToken(namespace, "agent") });
  const began = performance.now();
  await agent.process.waitForLine("kubernetes-current", { timeoutMs: 60_000 });
  console.log(`token renewed in the pod: current after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  await gated.make(gated.sequence("web", { steps: otherKnock, port: web }));
  await accepted(agent, gated.policies("ssh", "web"));
});
