import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { ControlPlane } from "./control-plane.ts";
import { JoinedNodes } from "./joined-nodes.ts";
import { sequenceManifest } from "./manifests.ts";

/** Behind this there is a service. */
const ssh = 3001;
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const names = ["one", "two", "three"];

let plane: ControlPlane;
let nodes: JoinedNodes;
let namespace: string;
let agents: Map<string, AgentProcess>;

beforeAll(async () => {
  plane = await ControlPlane.start();
  await plane.cluster.installDefinitions();
  nodes = await JoinedNodes.build(plane.cluster, names, [`${ssh}/tcp`]);
});
afterAll(async () => {
  await nodes.remove();
  await plane.stop();
});

beforeEach(async () => {
  namespace = await plane.cluster.createNamespace();
  agents = new Map();
});
afterEach(async () => {
  await Promise.all([...agents.values()].map((agent) => agent.stop()));
  for (const { host } of nodes.nodes) await host.run("nft", ["delete", "table", "inet", "knockgate"]);
});

async function startAgents(...chosen: readonly string[]): Promise<void> {
  await Promise.all(
    chosen.map(async (name) => {
      agents.set(name, await nodes.startAgent(name, namespace));
    }),
  );
}

async function apply(...objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await plane.cluster.expect(["apply", "--server-side", "-f", "-"], { input: JSON.stringify(list) });
}

function get(...args: readonly string[]): Promise<string> {
  return plane.cluster.expect(["get", ...args]);
}

/** `True Accepted 1`: status, reason and the generation spoken of; empty where nothing is said. */
function accepted(name: string): Promise<string> {
  const condition = '.status.conditions[?(@.type=="Accepted")]';
  const fields = ["status", "reason", "observedGeneration"].map((field) => `{${condition}.${field}}`);
  return get("-n", namespace, "kseq", name, "-o", `jsonpath=${fields.join(" ")}`);
}

/** Resolves when that is said of a policy. */
async function says(name: string, wanted: string): Promise<void> {
  await eventually(async () => (await accepted(name)) === wanted, {
    what: `the status ${wanted} of ${name}`,
    timeoutMs: 20_000,
    everyMs: 100,
  });
}

/** The node whose agent holds the Lease, which lies in the agents' own namespace; undefined where none does. */
async function holder(): Promise<string | undefined> {
  const { stdout } = await plane.cluster.kubectl([
    "get",
    "-n",
    "default",
    "lease",
    "knockgate",
    "-o",
    "jsonpath={.spec.holderIdentity}",
  ]);
  return stdout.split("_")[0] || undefined;
}

/** How many writes of a status the API server has answered since it began. */
async function statusWrites(resource: string): Promise<number> {
  const text = await plane.cluster.expect(["get", "--raw", "/metrics"]);
  const lines = text.split("\n").filter((line) => line.startsWith("apiserver_request_total{"));
  const own = lines.filter((line) => line.includes(`resource="${resource}"`) && line.includes('subresource="status"'));
  return own.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

function kseq(name: string, port: number, steps: readonly string[] = knock) {
  return sequenceManifest({ namespace, name, steps, port });
}

test("of three agents one says what is accepted, once for each change, and why something is not", async () => {
  await startAgents(...names);
  await eventually(holder, { what: "an agent to hold the Lease", timeoutMs: 20_000 });
  const before = await statusWrites("knocksequences");
  await apply(kseq("ssh", ssh), kseq("steep", 3002, ["7001/tcp", "7002/tcp", "7003/tcp"]));
  await says("ssh", "True Accepted 1");
  await says("steep", "True Accepted 1");
  const described = await plane.cluster.expect(["describe", "-n", namespace, "kseq", "steep"]);
  expect(described).toContain("spec.knock.steps:"); // the warning, in the condition's message
  await apply(kseq("ssh", 3003));
  await says("ssh", "True Accepted 2");
  expect((await statusWrites("knocksequences")) - before).toBe(3);
}, 60_000);

test("when the holder of the Lease is killed another says it within 20 s", async () => {
  await startAgents(...names);
  const first = await eventually(holder, { what: "an agent to hold the Lease", timeoutMs: 20_000 });
  await agents.get(first)?.kill();
  const killedAt = performance.now();
  await apply(kseq("ssh", ssh));
  await says("ssh", "True Accepted 1");
  const seconds = (performance.now() - killedAt) / 1000;
  console.log(`another agent wrote the status ${seconds.toFixed(1)} s after the holder was killed`);
  expect(await holder()).not.toBe(first);
}, 60_000);

/** Takes the CEL rules out of the CRD while something is done, as an older one lacked them. */
async function withoutRules(act: () => Promise<unknown>): Promise<void> {
  const name = "knocksequences.knockgate.io";
  const crd = await get("crd", name, "-o", "json");
  const isRules = (key: string) => key === "x-kubernetes-validations";
  const loose = JSON.stringify(JSON.parse(crd, (key, value: unknown) => (isRules(key) ? undefined : value)));
  await plane.cluster.expect(["apply", "--server-side", "--force-conflicts", "-f", "-"], { input: bare(loose) });
  const done = () =>
    act().then(
      () => true,
      () => false,
    );
  await eventually(done, { what: "the API server to forget the rules", timeoutMs: 30_000, everyMs: 200 });
  await plane.cluster.installDefinitions();
}

/** A CRD without what the API server has written into it. */
function bare(crd: string): string {
  const { apiVersion, kind, metadata, spec } = JSON.parse(crd) as Record<string, object & { name?: string }>;
  return JSON.stringify({ apiVersion, kind, metadata: { name: metadata?.name }, spec });
}

/** The Events that kubectl describe shows of a policy, a line each. */
async function describedEvents(name: string): Promise<string> {
  const described = await plane.cluster.expect(["describe", "-n", namespace, "kseq", name]);
  return described.slice(described.indexOf("Events:"));
}

test("kubectl describe explains a rejection, and counts how often a door was opened and closed, once for all nodes", async () => {
  await startAgents("one", "two");
  await withoutRules(() => apply(kseq("steep", 9127, ["7514/udp", "9127/tcp", "8147/udp"])));
  await apply(kseq("ssh", ssh));
  await says("ssh", "True Accepted 1");
  await says("steep", "False StepGuarded 1");
  const rejected = /Warning +Rejected .* knockgate +StepGuarded: spec\.knock\.steps\[1\]: /;
  await eventually(async () => rejected.test(await describedEvents("steep")), { what: "the Event of the rejection" });
  for (let time = 0; time < 3; time++) await nodes.knock("one", knock);
  await nodes.until(ssh, "open", "one");
  await agents.get("one")?.cli("revoke", nodes.visitor.ipv4);
  await nodes.until(ssh, "silent", "one");
  const counted = async () => {
    const events = await describedEvents("ssh");
    const isWhole = /Granted .*\(x3 over/.test(events) && events.includes("Revoked") && events.includes("Accepted");
    return isWhole && events;
  };
  const events = await eventually(counted, { what: "the Events of three knocks", timeoutMs: 30_000, everyMs: 200 });
  expect(events.split("\n").filter((line) => line.includes("Granted"))).toHaveLength(1);
  for (const secret of [nodes.visitor.ipv4, ...knock.map((step) => step.split("/")[0] ?? "")])
    expect(events).not.toContain(secret);
  console.log(`${await describedEvents("steep")}${events}`);
}, 90_000);

test("every node has a row that says how its agent is, and what it rejects; it goes not ready when the agent ends", async () => {
  await apply(kseq("ssh", ssh), kseq("critical", 6443, ["7514/udp", "9329/tcp", "8147/udp"]));
  await startAgents("one", "two");
  const row = async (name: string) =>
    JSON.parse((await plane.cluster.kubectl(["get", "kn", name, "-o", "json"])).stdout || "{}") as {
      readonly metadata?: { readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[] };
      readonly status?: {
        readonly mode: string;
        readonly policies: { readonly accepted: number; readonly rejections: readonly object[] };
        readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
      };
    };
  for (const name of ["one", "two"]) {
    const { metadata, status } = await eventually(
      async () => {
        const found = await row(name);
        const said = JSON.stringify(found.status?.policies.rejections ?? []); // not that of an agent before
        return said.includes(namespace) && found;
      },
      { what: `the row of ${name}`, timeoutMs: 30_000, everyMs: 200 },
    );
    expect(metadata?.ownerReferences).toMatchObject([{ kind: "Node", name }]);
    expect(status).toMatchObject({ mode: "enforce", policies: { accepted: 1 } });
    expect(status?.policies.rejections).toMatchObject([{ namespace, name: "critical", reason: "PortCritical" }]);
    const conditions = Object.fromEntries(status?.conditions.map(({ type, status: is }) => [type, is]) ?? []);
    expect(conditions).toEqual({
      Ready: "True",
      CaptureUp: "True",
      TableIntact: "True",
      ConfigCurrent: "True",
      APIReachable: "True",
      GateBypassed: "False",
    });
    expect(JSON.stringify(status)).not.toMatch(/7312|8845|7514|9329|8147/);
  }
  await agents.get("two")?.stop();
  const { status } = await row("two");
  expect(status?.conditions.find(({ type }) => type === "Ready")).toMatchObject({ status: "False", reason: "Ended" });
  console.log(await get("kseq,kn,kgr", "-n", namespace));
}, 60_000);
