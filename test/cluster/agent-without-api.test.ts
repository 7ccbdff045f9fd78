import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { accepted, statusOf, told } from "./agent-view.ts";
import { ControlPlane } from "./control-plane.ts";
import { GatedNode } from "./gated-node.ts";
import { apply, nodeManifest, secretManifest, sequenceManifest } from "./manifests.ts";

const [ssh, web] = [3001, 3002];
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const otherKnock = ["7413/udp", "9228/tcp", "8946/udp"];
const failing = 'knockgate_watches{resource="knocksequences",state="failing"}';

let plane: ControlPlane;
let node: GatedNode;
let namespace: string;

beforeAll(async () => {
  plane = await ControlPlane.start();
  await plane.cluster.installDefinitions();
  node = await GatedNode.build(plane.cluster, [`${ssh}/tcp`, `${web}/tcp`]);
});
afterAll(async () => {
  await node.remove();
  await plane.stop();
});

beforeEach(async () => {
  namespace = await plane.cluster.createNamespace();
});
afterEach(async () => {
  node.way.open();
  await node.gate.run("nft", ["delete", "table", "inet", "knockgate"]);
});

/** An agent that is ready and ends with the test; in the folder of another one it starts with what that one left. */
async function startAgent(args: readonly string[] = [], folder?: string): Promise<AgentProcess> {
  const own = ["--crd", "--namespace", namespace, "--node-name", `node-${namespace}`, ...args];
  const agent = await node.start(own, folder === undefined ? {} : { folder });
  onTestFinished(async () => void (await agent.stop()));
  return agent;
}

function policies(...names: readonly string[]): readonly string[] {
  return names.map((name) => `${namespace}/${name}`);
}

/** One policy with plain steps for nodes of a role, and one with steps from a Secret. */
async function makePolicies(): Promise<void> {
  const selector = { role: "bastion" };
  await apply(
    plane.cluster,
    nodeManifest(`node-${namespace}`, selector),
    secretManifest(namespace, "knocks", otherKnock),
    sequenceManifest({ namespace, name: "ssh", steps: knock, port: ssh, nodeSelector: selector }),
    sequenceManifest({ namespace, name: "web", secret: "knocks", port: web }),
  );
}

test("an agent that loses the API goes on with what it knows, stays ready, says so, and makes up for what it missed", async () => {
  await apply(plane.cluster, sequenceManifest({ namespace, name: "ssh", steps: knock, port: ssh }));
  const agent = await startAgent();
  await accepted(agent, policies("ssh"));
  node.way.cut();
  await eventually(async () => (await agent.metric(failing)) === 1, { what: "the loss to be seen" });
  await agent.process.waitForLine("kubernetes-lost");
  expect((await agent.http("/readyz")).status).toBe(200);
  await apply(plane.cluster, sequenceManifest({ namespace, name: "web", steps: otherKnock, port: web }));
  await node.knock(...knock);
  await node.until(ssh, "open");
  const { kubernetes } = await statusOf(agent);
  expect(kubernetes).toContainEqual(
    expect.objectContaining({ resource: "knocksequences", scope: namespace, state: "failing" }),
  );
  node.way.open();
  await accepted(agent, policies("ssh", "web"));
  await agent.process.waitForLine("kubernetes-current");
});

test("a deletion that the API did not confirm opens nothing", async () => {
  await apply(plane.cluster, sequenceManifest({ namespace, name: "ssh", steps: knock, port: ssh }));
  const agent = await startAgent();
  await accepted(agent, policies("ssh"));
  await plane.cluster.expect(["delete", "kseq", "-n", namespace, "ssh"]);
  node.way.cut(); // within the second after which the agent looks again
  await agent.process.waitForLine("config-refused");
  expect(await node.meets(ssh)).toBe("silent");
  node.way.open();
  await node.until(ssh, "open");
});

test("a start without the API takes the policies of before; those with a Secret wait, their ports guarded", async () => {
  await makePolicies();
  const first = await startAgent();
  await accepted(first, policies("ssh", "web"));
  await first.stop();
  const state = join(first.folder, "state/policies.json");
  expect(statSync(state).mode & 0o777).toBe(0o600);
  expect(readFileSync(state, "utf8")).not.toContain("7413");
  await node.gate.run("nft", ["delete", "table", "inet", "knockgate"]); // as after a boot
  node.way.cut();
  const began = performance.now();
  const second = await startAgent([], first.folder);
  console.log(`start without the API: ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  await accepted(second, policies("ssh"));
  await told(second, ["web secret-not-kept"]);
  await second.process.waitForLine("config-restored");
  await second.process.waitForLine(/policy-problem.*secret-not-kept/);
  expect([await node.meets(ssh), await node.meets(web)]).toEqual(["silent", "silent"]);
  await node.knock(...knock);
  await node.until(ssh, "open");
  node.way.open();
  await accepted(second, policies("ssh", "web"));
  await told(second, []);
  await node.knock(...otherKnock);
  await node.until(web, "open");
});

test("with --state-secrets the Secrets' steps are known without the API too", async () => {
  await makePolicies();
  const first = await startAgent(["--state-secrets"]);
  await accepted(first, policies("ssh", "web"));
  await first.stop();
  node.way.cut();
  const second = await startAgent(["--state-secrets"], first.folder);
  await accepted(second, policies("ssh", "web"));
  await node.knock(...otherKnock);
  await node.until(web, "open");
});
