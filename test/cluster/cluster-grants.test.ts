import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AgentProcess } from "../netns/agent-process.ts";
import { DoorWatch } from "../netns/door-watch.ts";
import { eventually } from "../netns/eventually.ts";
import { ControlPlane } from "./control-plane.ts";
import { JoinedNodes } from "./joined-nodes.ts";
import { ReplicationStopwatch } from "./replication-stopwatch.ts";

/** Behind these there is a service. */
const [ssh, web] = [3001, 3002];
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const closing = ["8946/udp", "9228/tcp", "7413/udp"];
const otherKnock = ["7514/udp", "9329/tcp", "8147/udp"];
const names = ["one", "two", "three"];

let plane: ControlPlane;
let nodes: JoinedNodes;
let namespace: string;
let agents: AgentProcess[];

beforeAll(async () => {
  plane = await ControlPlane.start();
  await plane.cluster.installDefinitions();
  nodes = await JoinedNodes.build(plane.cluster, names, [`${ssh}/tcp`, `${web}/tcp`]);
});
afterAll(async () => {
  await nodes.remove();
  await plane.stop();
});

beforeEach(async () => {
  namespace = await plane.cluster.createNamespace();
  agents = [];
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  for (const { host, way } of nodes.nodes) {
    way.open();
    await host.run("nft", ["delete", "table", "inet", "knockgate"]);
  }
});

async function apply(...objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await plane.cluster.expect(["apply", "-f", "-"], { input: JSON.stringify(list) });
}

/** A policy that opens a door on every node, unless told otherwise. */
function kseq(name: string, more: { steps?: readonly string[]; port?: number; for?: string; scope?: string } = {}) {
  const { steps = knock, port = ssh, scope = "Cluster" } = more;
  return {
    apiVersion: "knockgate.io/v1alpha1",
    kind: "KnockSequence",
    metadata: { namespace, name },
    spec: {
      knock: { steps },
      opens: { ports: [`${port}/tcp`], for: more.for ?? "60s", scope },
      ...(steps === knock && { closedBy: { steps: closing } }),
    },
  };
}

/** A KnockGrant for the visitor, as somebody writes it. */
function kgr(name: string, spec: object = {}) {
  return {
    apiVersion: "knockgate.io/v1alpha1",
    kind: "KnockGrant",
    metadata: { namespace, name },
    spec: { sequenceRef: { name: "ssh" }, source: nodes.visitor.ipv4, ...spec },
  };
}

async function start(...which: readonly string[]): Promise<AgentProcess[]> {
  const started = await Promise.all(which.map((name) => nodes.startAgent(name, namespace)));
  agents.push(...started);
  await nodes.until(ssh, "silent", ...which);
  return started;
}

async function grants(): Promise<string[]> {
  const text = await plane.cluster.expect(["get", "knockgrants", "-n", namespace, "-o", "name"]);
  return text.split("\n").flatMap((line) => line.split("/")[1] ?? []);
}

async function remove(name: string): Promise<void> {
  await plane.cluster.expect(["delete", "knockgrants", "-n", namespace, name]);
}

/** Seconds that the door of the visitor stays open on a node; 0 when it is closed. */
async function left(agent: AgentProcess): Promise<number> {
  const { stdout } = await agent.cli("grants", "-o", "json");
  const rows = JSON.parse(stdout) as { source: string; leftSeconds: number }[];
  return rows.find(({ source }) => source === nodes.visitor.ipv4)?.leftSeconds ?? 0;
}

test("a knock on one node opens the door on all, and the times differ by less than the whole second of the API", async () => {
  await apply(kseq("ssh"));
  const started = await start(...names);
  await nodes.knock("one", knock);
  await nodes.until(ssh, "open", ...names);
  expect(await grants()).toHaveLength(1);
  const [one = 0, two = 0, three = 0] = await Promise.all(started.map(left));
  expect(Math.max(one, two, three) - Math.min(one, two, three)).toBeLessThan(2);
  expect(Math.min(one, two, three)).toBeGreaterThan(50);
  const written = await plane.cluster.expect(["get", "knockgrants", "-n", namespace, "-o", "json"]);
  for (const step of knock) expect(written).not.toContain(step.split("/")[0]);
  for (const agent of started) expect((await agent.http("/metrics")).body).not.toContain(nodes.visitor.ipv4);
});

test("the other node's kernel has the door soon after the last knock", async () => {
  await apply(kseq("ssh"));
  await start("one", "two");
  const stopwatch = await ReplicationStopwatch.begin(nodes, "one", "two");
  const times: number[] = [];
  for (let round = 0; round < 100; round++) {
    times.push(await stopwatch.measure(knock));
    await pause(20 + 7 * (round % 9)); // uneven, so that the knocks do not keep in step with anything
  }
  times.sort((one, other) => one - other);
  const at = (share: number) => (times[Math.ceil(times.length * share) - 1] ?? Number.NaN).toFixed(1);
  console.log(
    `last knock on one node to the other node's set: median ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms, n = ${times.length}`,
  );
  expect(times).toHaveLength(100);
});

describe("deleting the grant", () => {
  test("closes the door on all nodes, also where the agent was stopped meanwhile", async () => {
    await apply(kseq("ssh"));
    const [, , three] = await start(...names);
    await nodes.knock("one", knock);
    await nodes.until(ssh, "open", ...names);
    await three?.stop();
    await remove((await grants())[0] ?? "");
    await nodes.until(ssh, "silent", "one", "two");
    expect(await nodes.meets(ssh, "three")).toBe("open"); // the kernel keeps it while nobody is there
    agents.push(await nodes.startAgent("three", namespace, three?.folder));
    await nodes.until(ssh, "silent", "three");
  });

  test.each(["closedBy", "knockgate revoke"])("is what %s on one node does, so that all close", async (how) => {
    await apply(kseq("ssh"));
    const [, two] = await start("one", "two");
    await nodes.knock("one", knock);
    await nodes.until(ssh, "open", "one", "two");
    if (how === "closedBy") await nodes.knock("two", closing);
    else expect((await two?.cli("revoke", nodes.visitor.ipv4))?.code).toBe(0);
    await nodes.until(ssh, "silent", "one", "two");
    expect(await grants()).toEqual([]);
  });
});

test("a grant made by hand opens a door without a knock, on the node that it names or on all, and no more than its policy", async () => {
  await apply(kseq("ssh"), kseq("web", { steps: otherKnock, port: web }));
  const [one] = await start("one", "two");
  await apply(kgr("for-one", { node: "one" }));
  await nodes.until(ssh, "open", "one");
  expect(await nodes.meets(ssh, "two")).toBe("silent");
  await apply(kgr("for-all", { for: "10m" }));
  await nodes.until(ssh, "open", "two");
  await apply(kgr("too-much", { ports: [`${web}/tcp`] }));
  await one?.process.waitForLine(/grant-refused.*port-not-allowed.*too-much/);
  for (const name of ["one", "two"]) expect(await nodes.meets(web, name)).toBe("silent");
  for (const agent of agents) expect(await left(agent)).toBeLessThanOrEqual(61);
});

test("a renewal is another object, and the door is open without a gap until the last one is over", async () => {
  await apply(kseq("ssh", { for: "4s" }));
  await start("one", "two");
  await nodes.knock("one", knock);
  await nodes.until(ssh, "open", "two");
  const watch = await DoorWatch.start(nodes.visitor, nodes.node("two").host.ipv4, ssh, "open");
  await nodes.knock("one", knock);
  const renewedAt = performance.now();
  await watch.found("silent");
  expect(performance.now() - renewedAt).toBeGreaterThan(3000);
  await watch.stop();
  await eventually(async () => (await grants()).length === 0, { what: "the leader to tidy up", timeoutMs: 30_000 });
});

test("an agent that starts later opens what is live", async () => {
  await apply(kseq("ssh"));
  await start("one");
  await nodes.knock("one", knock);
  await nodes.until(ssh, "open", "one");
  const late = await nodes.startAgent("two", namespace);
  agents.push(late);
  await nodes.until(ssh, "open", "two");
  expect(await left(late)).toBeLessThan(61);
});

test("while the API server is away doors open where the knock was, and on the others when it is back", async () => {
  await apply(kseq("ssh"), kseq("web", { steps: otherKnock, port: web, scope: "Node" }));
  const [one, two] = await start("one", "two");
  await plane.apiServer.kill();
  await one?.process.waitForLine("kubernetes-lost");
  await nodes.knock("one", knock);
  await nodes.until(ssh, "open", "one");
  await nodes.knock("two", otherKnock);
  await nodes.until(web, "open", "two");
  expect(await nodes.meets(ssh, "two")).toBe("silent");
  expect(await one?.metric("knockgate_grant_replications_waiting")).toBe(1);
  await plane.apiServer.startAgain();
  await nodes.until(ssh, "open", "two");
  if (one === undefined || two === undefined) return;
  expect(Math.abs((await left(one)) - (await left(two)))).toBeLessThan(2);
  expect(await left(two)).toBeLessThan(59);
});

test("an agent that ends while the API server is away leaves its knock to the next one, and the others open when it is back", async () => {
  await apply(kseq("ssh"));
  const [one, two] = await start("one", "two");
  await plane.apiServer.kill();
  await one?.process.waitForLine("kubernetes-lost");
  await nodes.knock("one", knock);
  await nodes.until(ssh, "open", "one");
  await one?.kill();
  const again = await nodes.startAgent("one", namespace, one?.folder);
  agents.push(again);
  expect(await nodes.meets(ssh, "one")).toBe("open");
  expect(await nodes.meets(ssh, "two")).toBe("silent");
  await plane.apiServer.startAgain();
  await nodes.until(ssh, "open", "two");
  expect(await grants()).toHaveLength(1);
  if (two === undefined) return;
  expect(Math.abs((await left(again)) - (await left(two)))).toBeLessThan(3);
  expect(await left(two)).toBeLessThan(59);
});
