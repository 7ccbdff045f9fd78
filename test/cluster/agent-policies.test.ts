import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { accepted, statusOf, told, untilInForce } from "./agent-view.ts";
import { ControlPlane } from "./control-plane.ts";
import { GatedNode } from "./gated-node.ts";
import { apply, nodeManifest, type SequenceManifest, secretManifest, sequenceManifest } from "./manifests.ts";

/** Behind these there is a service. */
const [ssh, web] = [3001, 3002];
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const otherKnock = ["7413/udp", "9228/tcp", "8946/udp"];

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
  namespace = await plane.cluster.createNamespace(["agent"]);
});
afterEach(async () => {
  await node.gate.run("nft", ["delete", "table", "inet", "knockgate"]);
});

function make(...objects: readonly object[]): Promise<void> {
  return apply(plane.cluster, ...objects);
}

async function remove(kind: string, name: string): Promise<void> {
  await plane.cluster.expect(["delete", kind, "-n", namespace, name]);
}

function kseq(name: string, more: Omit<SequenceManifest, "namespace" | "name">) {
  return sequenceManifest({ namespace, name, ...more });
}

/** An agent that is ready and ends with the test. */
async function startAgent(...args: readonly string[]): Promise<AgentProcess> {
  const agent = await node.start(["--crd", "--namespace", namespace, ...args]);
  onTestFinished(async () => void (await agent.stop()));
  return agent;
}

function policies(...names: readonly string[]): readonly string[] {
  return names.map((name) => `${namespace}/${name}`);
}

describe("KnockSequence objects", () => {
  test("come, change and go while the agent runs", async () => {
    const agent = await startAgent();
    expect(await node.meets(ssh)).toBe("open");
    await untilInForce(agent, () => make(kseq("ssh", { steps: knock, port: ssh })));
    expect(await node.meets(ssh)).toBe("silent");
    await node.knock(...knock);
    await node.until(ssh, "open");
    await untilInForce(agent, () => make(kseq("ssh", { steps: otherKnock, port: web })));
    expect([await node.meets(ssh), await node.meets(web)]).toEqual(["open", "silent"]);
    await remove("kseq", "ssh");
    await node.until(web, "open");
    expect((await statusOf(agent)).policies).toMatchObject({ accepted: [], rejected: 0 });
  });

  test("of another node disturb nobody, and a bad one of this node disturbs no other", async () => {
    const name = `node-${namespace}`;
    await make(nodeManifest(name, { role: "bastion" }));
    await make(kseq("elsewhere", { steps: knock, port: web, nodeSelector: { role: "web" } }));
    await make(kseq("clash", { steps: otherKnock, port: 9127, nodeSelector: { role: "web" } }));
    await make(kseq("ssh", { steps: knock, port: ssh, nodeSelector: { role: "bastion" } }));
    const agent = await startAgent("--node-name", name);
    await accepted(agent, policies("ssh"));
    await told(agent, []);
    expect([await node.meets(ssh), await node.meets(web)]).toEqual(["silent", "open"]);
    await make(kseq("bad", { steps: otherKnock, port: 9127 })); // a step of the older one
    await told(agent, ["bad port-knocked"]);
    await accepted(agent, policies("ssh"));
    await node.knock(...knock);
    await node.until(ssh, "open");
  });

  test("follow the labels of the node", async () => {
    const name = `node-${namespace}`;
    await make(nodeManifest(name, { role: "web" }));
    await make(kseq("ssh", { steps: knock, port: ssh, nodeSelector: { role: "bastion" } }));
    const agent = await startAgent("--node-name", name);
    await accepted(agent, policies());
    await plane.cluster.expect(["label", "node", name, "role=bastion", "--overwrite"]);
    await accepted(agent, policies("ssh"));
    expect(await node.meets(ssh)).toBe("silent");
    await plane.cluster.expect(["label", "node", name, "role-"]);
    await accepted(agent, policies());
    expect(await node.meets(ssh)).toBe("open");
  });

  test("that were deleted while a source is half through open nothing", async () => {
    await make(kseq("ssh", { steps: knock, port: ssh }), kseq("web", { steps: otherKnock, port: web }));
    const agent = await startAgent();
    await accepted(agent, policies("ssh", "web"));
    await node.knock(...knock.slice(0, 2), ...otherKnock.slice(0, 2));
    await eventually(async () => (await agent.metric("knockgate_tracked_sources")) === 2, { what: "the knocks" });
    await remove("kseq", "ssh");
    await accepted(agent, policies("web"));
    await node.knock(...knock.slice(2), ...otherKnock.slice(2));
    await agent.process.waitForLine(/grant-added/); // who is half through another policy still is
    expect(agent.process.text).not.toMatch(new RegExp(`grant-added.*${namespace}/ssh`));
  });

  test("are waited for where the CRD comes after the agent", async () => {
    const bare = await ControlPlane.start();
    onTestFinished(() => bare.stop());
    const other = await GatedNode.build(bare.cluster, [`${ssh}/tcp`]);
    onTestFinished(() => other.remove());
    const agent = other.launch(["--crd", "--namespace", "default"]);
    await agent.process.waitForLine("kubernetes-lost", { timeoutMs: 30_000 });
    await agent.process.waitForLine("config-refused");
    expect((await agent.http("/readyz")).body).toContain("cannot be read");
    expect((await agent.http("/livez")).status).toBe(200);
    await bare.cluster.installDefinitions();
    const policy = sequenceManifest({ namespace: "default", name: "ssh", steps: knock, port: ssh });
    await bare.cluster.expect(["apply", "-f", "-"], { input: JSON.stringify(policy) });
    await agent.ready(30_000);
    await other.until(ssh, "silent");
  });

  test("two thousand are taken at once", async () => {
    const tcp = (port: number) => `${port}/tcp`;
    const policies = Array.from({ length: 2000 }, (_, at) => {
      const steps = [tcp(10_000 + at), tcp(20_000 + ((at * 7) % 2000)), tcp(30_000 + ((at * 13) % 2000))];
      return kseq(`p${at}`, { steps, port: 40_000 + at });
    });
    for (let at = 0; at < policies.length; at += 250) await make(...policies.slice(at, at + 250));
    const began = performance.now();
    const agent = await startAgent();
    console.log(`2,000 policies: ${((performance.now() - began) / 1000).toFixed(1)} s from start to ready`);
    expect((await statusOf(agent)).policies.accepted).toHaveLength(2000);
    const changed = performance.now();
    await untilInForce(agent, () => make(kseq("p1999", { steps: knock, port: ssh })));
    console.log(`one of 2,000 changed: ${((performance.now() - changed) / 1000).toFixed(1)} s until in force`);
    await node.knock(...knock);
    await node.until(ssh, "open");
  });
});

describe("Secrets", () => {
  test("that are rotated in the middle of a knock: the old steps open nothing, the new ones do", async () => {
    await make(secretManifest(namespace, "knocks", knock), kseq("ssh", { secret: "knocks", port: ssh }));
    const agent = await startAgent();
    await accepted(agent, policies("ssh"));
    await node.knock(...knock.slice(0, 2));
    await eventually(async () => (await agent.metric("knockgate_tracked_sources")) === 1, { what: "the knocks" });
    await untilInForce(agent, () => make(secretManifest(namespace, "knocks", otherKnock)));
    await node.knock(...knock.slice(2));
    await node.knock(...knock);
    expect(await node.meets(ssh)).toBe("silent");
    await node.knock(...otherKnock);
    await node.until(ssh, "open");
    for (const step of [...knock, ...otherKnock]) expect(agent.process.text).not.toContain(step.split("/")[0]);
  });

  test("that are missing, spoiled or forbidden keep the last good policy, and it is said", async () => {
    const agent = await startAgent();
    await make(kseq("ssh", { secret: "knocks", port: ssh }));
    await told(agent, ["ssh secret-missing"]);
    await make(secretManifest(namespace, "knocks", knock));
    await accepted(agent, policies("ssh"));
    await told(agent, []);
    await make(secretManifest(namespace, "knocks", ["nonsense"]));
    await told(agent, ["ssh secret-steps-invalid", "ssh previous-kept"]);
    await remove("secret", "knocks");
    await told(agent, ["ssh secret-missing", "ssh previous-kept"]);
    await accepted(agent, policies("ssh"));
    await node.knock(...knock);
    await node.until(ssh, "open");
  });

  test("need a role that names them, and so does the node; without it nothing else suffers", async () => {
    const name = `node-${namespace}`;
    await make(nodeManifest(name, { role: "bastion" }));
    await make(
      secretManifest(namespace, "knocks", knock),
      kseq("ssh", { secret: "knocks", port: ssh }),
      kseq("web", { steps: otherKnock, port: web }),
      kseq("selected", { steps: ["5001", "6203", "5702"], port: 3003, nodeSelector: { role: "bastion" } }),
    );
    const verbs = ["--verb=get,list,watch"];
    const subject = `--serviceaccount=${namespace}:agent`;
    const grant = async (role: string, ...what: readonly string[]) => {
      await plane.cluster.expect(["create", "role", "-n", namespace, role, ...verbs, ...what]);
      await plane.cluster.expect(["create", "rolebinding", "-n", namespace, role, `--role=${role}`, subject]);
    };
    await grant("policies", "--resource=knocksequences.knockgate.io");
    const token = await plane.cluster.serviceAccountToken(namespace, "agent");
    const agent = await startAgent("--node-name", name, "--kubeconfig", plane.cluster.writeKubeconfig({ token }));
    await accepted(agent, policies("web"));
    await told(agent, ["selected node-unknown", "ssh secret-forbidden"]);
    await grant("secrets", "--resource=secrets", "--resource-name=knocks");
    await plane.cluster.expect([
      "create",
      "clusterrole",
      name,
      ...verbs,
      "--resource=nodes",
      `--resource-name=${name}`,
    ]);
    await plane.cluster.expect(["create", "clusterrolebinding", name, `--clusterrole=${name}`, subject]);
    await accepted(agent, policies("ssh", "web", "selected"));
    await told(agent, []);
  });
});

describe("a ConfigMap by the API", () => {
  test("is waited for, followed, and missed without opening a port", async () => {
    const policy = (name: string, port: number) =>
      JSON.stringify(sequenceManifest({ namespace, name, steps: knock, port }));
    const configMap = (data: Record<string, string>) => {
      return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: "gate" }, data };
    };
    const agent = node.launch(["--configmap", `${namespace}/gate`]);
    onTestFinished(async () => void (await agent.stop()));
    await agent.process.waitForLine("config-refused", { timeoutMs: 30_000 });
    expect((await agent.http("/readyz")).body).toContain("does not exist");
    await make(configMap({ "ssh.json": policy("ssh", ssh) }));
    await agent.ready(30_000);
    await accepted(agent, policies("ssh"));
    expect(await node.meets(ssh)).toBe("silent");
    await make(configMap({ "ssh.json": policy("ssh", web) }));
    await node.until(web, "silent");
    await remove("configmap", "gate");
    await eventually(async () => (await statusOf(agent)).policies.stale?.includes("does not exist"), {
      what: "the loss",
    });
    expect(await node.meets(web)).toBe("silent");
    expect((await agent.http("/readyz")).status).toBe(200);
  });
});
