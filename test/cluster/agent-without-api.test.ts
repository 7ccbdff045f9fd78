import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { accepted, statusOf, told } from "./agent-view.ts";
import { GatedCluster } from "./gated-cluster.ts";
import { nodeManifest, secretManifest } from "./manifests.ts";

const [ssh, web] = [3001, 3002];
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const otherKnock = ["7413/udp", "9228/tcp", "8946/udp"];
const failing = 'knockgate_watches{resource="knocksequences",state="failing"}';

const gated = GatedCluster.forTests([`${ssh}/tcp`, `${web}/tcp`]);

/** An agent on the test's node; in the folder of another one it starts with what that one left. */
function startAgent(args: readonly string[] = [], folder?: string): Promise<AgentProcess> {
  const own = ["--node-name", `node-${gated.namespace}`, ...args];
  return gated.startAgent(own, folder === undefined ? {} : { folder });
}

/** One policy with plain steps for nodes of a role, and one with steps from a Secret. */
async function makePolicies(): Promise<void> {
  const selector = { role: "bastion" };
  await gated.make(
    nodeManifest(`node-${gated.namespace}`, selector),
    secretManifest(gated.namespace, "knocks", otherKnock),
    gated.sequence("ssh", { steps: knock, port: ssh, nodeSelector: selector }),
    gated.sequence("web", { secret: "knocks", port: web }),
  );
}

test("an agent that loses the API goes on with what it knows, stays ready, says so, and makes up for what it missed", async () => {
  await gated.make(gated.sequence("ssh", { steps: knock, port: ssh }));
  const agent = await startAgent();
  await accepted(agent, gated.policies("ssh"));
  gated.node.way.cut();
  await eventually(async () => (await agent.metric(failing)) === 1, { what: "the loss to be seen" });
  await agent.process.waitForLine("kubernetes-lost");
  expect((await agent.http("/readyz")).status).toBe(200);
  await gated.make(gated.sequence("web", { steps: otherKnock, port: web }));
  await gated.node.knock(...knock);
  await gated.node.until(ssh, "open");
  const { kubernetes } = await statusOf(agent);
  expect(kubernetes).toContainEqual(
    expect.objectContaining({ resource: "knocksequences", scope: gated.namespace, state: "failing" }),
  );
  gated.node.way.open();
  await accepted(agent, gated.policies("ssh", "web"));
  await agent.process.waitForLine("kubernetes-current");
});

test("a deletion that the API did not confirm opens nothing", async () => {
  await gated.make(gated.sequence("ssh", { steps: knock, port: ssh }));
  const agent = await startAgent();
  await accepted(agent, gated.policies("ssh"));
  await gated.cluster.expect(["delete", "kseq", "-n", gated.namespace, "ssh"]);
  gated.node.way.cut(); // within the second after which the agent looks again
  await agent.process.waitForLine("config-refused");
  expect(await gated.node.meets(ssh)).toBe("silent");
  gated.node.way.open();
  await gated.node.until(ssh, "open");
});

test("a start without the API takes the policies of before; those with a Secret wait, their ports guarded", async () => {
  await makePolicies();
  const first = await startAgent();
  await accepted(first, gated.policies("ssh", "web"));
  await first.stop();
  const state = join(first.folder, "state/policies.json");
  expect(statSync(state).mode & 0o777).toBe(0o600);
  expect(readFileSync(state, "utf8")).not.toContain("7413");
  await gated.node.gate.run("nft", ["delete", "table", "inet", "knockgate"]); // as after a boot
  gated.node.way.cut();
  const began = performance.now();
  const second = await startAgent([], first.folder);
  console.log(`start without the API: ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  await accepted(second, gated.policies("ssh"));
  await told(second, ["web secret-not-kept"]);
  await second.process.waitForLine("config-restored");
  await second.process.waitForLine(/policy-problem.*secret-not-kept/);
  expect([await gated.node.meets(ssh), await gated.node.meets(web)]).toEqual(["silent", "silent"]);
  await gated.node.knock(...knock);
  await gated.node.until(ssh, "open");
  gated.node.way.open();
  await accepted(second, gated.policies("ssh", "web"));
  await told(second, []);
  await gated.node.knock(...otherKnock);
  await gated.node.until(web, "open");
});

test("with --state-secrets the Secrets' steps are known without the API too", async () => {
  await makePolicies();
  const first = await startAgent(["--state-secrets"]);
  await accepted(first, gated.policies("ssh", "web"));
  await first.stop();
  gated.node.way.cut();
  const second = await startAgent(["--state-secrets"], first.folder);
  await accepted(second, gated.policies("ssh", "web"));
  await gated.node.knock(...otherKnock);
  await gated.node.until(web, "open");
});
