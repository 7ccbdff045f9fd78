import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../netns/eventually.ts";
import { accepted, statusOf, told, untilInForce } from "./agent-view.ts";
import { ControlPlane } from "./control-plane.ts";
import { GatedCluster } from "./gated-cluster.ts";
import { GatedNode } from "./gated-node.ts";
import { nodeManifest, secretManifest, sequenceManifest } from "./manifests.ts";

/** Behind these there is a service. */
const [ssh, web] = [3001, 3002];
const knock = ["7312/udp", "9127/tcp", "8845/udp"];
const otherKnock = ["7413/udp", "9228/tcp", "8946/udp"];

const gated = GatedCluster.forTests([`${ssh}/tcp`, `${web}/tcp`]);

describe("KnockSequence objects", () => {
  test("come, change and go while the agent runs", async () => {
    const agent = await gated.startAgent();
    expect(await gated.node.meets(ssh)).toBe("open");
    await untilInForce(agent, () => gated.make(gated.sequence("ssh", { steps: knock, port: ssh })));
    expect(await gated.node.meets(ssh)).toBe("silent");
    await gated.node.knock(...knock);
    await gated.node.until(ssh, "open");
    await untilInForce(agent, () => gated.make(gated.sequence("ssh", { steps: otherKnock, port: web })));
    expect([await gated.node.meets(ssh), await gated.node.meets(web)]).toEqual(["open", "silent"]);
    await gated.remove("kseq", "ssh");
    await gated.node.until(web, "open");
    expect((await statusOf(agent)).policies).toMatchObject({ accepted: [], rejected: 0 });
  });

  test("of another node disturb nobody, and a bad one of this node disturbs no other", async () => {
    const name = `node-${gated.namespace}`;
    await gated.make(nodeManifest(name, { role: "bastion" }));
    await gated.make(gated.sequence("elsewhere", { steps: knock, port: web, nodeSelector: { role: "web" } }));
    await gated.make(gated.sequence("clash", { steps: otherKnock, port: 9127, nodeSelector: { role: "web" } }));
    await gated.make(gated.sequence("ssh", { steps: knock, port: ssh, nodeSelector: { role: "bastion" } }));
    const agent = await gated.startAgent(["--node-name", name]);
    await accepted(agent, gated.policies("ssh"));
    await told(agent, []);
    expect([await gated.node.meets(ssh), await gated.node.meets(web)]).toEqual(["silent", "open"]);
    await gated.make(gated.sequence("bad", { steps: otherKnock, port: 9127 })); // a step of the older one
    await told(agent, ["bad port-knocked"]);
    await accepted(agent, gated.policies("ssh"));
    await gated.node.knock(...knock);
    await gated.node.until(ssh, "open");
  });

  test("follow the labels of the node", async () => {
    const name = `node-${gated.namespace}`;
    await gated.make(nodeManifest(name, { role: "web" }));
    await gated.make(gated.sequence("ssh", { steps: knock, port: ssh, nodeSelector: { role: "bastion" } }));
    const agent = await gated.startAgent(["--node-name", name]);
    await accepted(agent, gated.policies());
    await gated.cluster.expect(["label", "node", name, "role=bastion", "--overwrite"]);
    await accepted(agent, gated.policies("ssh"));
    expect(await gated.node.meets(ssh)).toBe("silent");
    await gated.cluster.expect(["label", "node", name, "role-"]);
    await accepted(agent, gated.policies());
    expect(await gated.node.meets(ssh)).toBe("open");
  });

  test("that were deleted while a source is half through open nothing", async () => {
    await gated.make(
      gated.sequence("ssh", { steps: knock, port: ssh }),
      gated.sequence("web", { steps: otherKnock, port: web }),
    );
    const agent = await gated.startAgent();
    await accepted(agent, gated.policies("ssh", "web"));
    await gated.node.knock(...knock.slice(0, 2), ...otherKnock.slice(0, 2));
    await eventually(async () => (await agent.metric("knockgate_tracked_sources")) === 2, { what: "the knocks" });
    await gated.remove("kseq", "ssh");
    await accepted(agent, gated.policies("web"));
    await gated.node.knock(...knock.slice(2), ...otherKnock.slice(2));
    await agent.process.waitForLine(/grant-added/); // who is half through another policy still is
    expect(agent.process.text).not.toMatch(new RegExp(`grant-added.*${gated.namespace}/ssh`));
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
      return gated.sequence(`p${at}`, { steps, port: 40_000 + at });
    });
    for (let at = 0; at < policies.length; at += 250) await gated.make(...policies.slice(at, at + 250));
    const began = performance.now();
    const agent = await gated.startAgent();
    console.log(`2,000 policies: ${((performance.now() - began) / 1000).toFixed(1)} s from start to ready`);
    expect((await statusOf(agent)).policies.accepted).toHaveLength(2000);
    const changed = performance.now();
    await untilInForce(agent, () => gated.make(gated.sequence("p1999", { steps: knock, port: ssh })));
    console.log(`one of 2,000 changed: ${((performance.now() - changed) / 1000).toFixed(1)} s until in force`);
    await gated.node.knock(...knock);
    await gated.node.until(ssh, "open");
  });
});

describe("Secrets", () => {
  test("that are rotated in the middle of a knock: the old steps open nothing, the new ones do", async () => {
    await gated.make(
      secretManifest(gated.namespace, "knocks", knock),
      gated.sequence("ssh", { secret: "knocks", port: ssh }),
    );
    const agent = await gated.startAgent();
    await accepted(agent, gated.policies("ssh"));
    await gated.node.knock(...knock.slice(0, 2));
    await eventually(async () => (await agent.metric("knockgate_tracked_sources")) === 1, { what: "the knocks" });
    await untilInForce(agent, () => gated.make(secretManifest(gated.namespace, "knocks", otherKnock)));
    await gated.node.knock(...knock.slice(2));
    await gated.node.knock(...knock);
    expect(await gated.node.meets(ssh)).toBe("silent");
    await gated.node.knock(...otherKnock);
    await gated.node.until(ssh, "open");
    for (const step of [...knock, ...otherKnock]) expect(agent.process.text).not.toContain(step.split("/")[0]);
  });

  test("that are missing, spoiled or forbidden keep the last good policy, and it is said", async () => {
    const agent = await gated.startAgent();
    await gated.make(gated.sequence("ssh", { secret: "knocks", port: ssh }));
    await told(agent, ["ssh secret-missing"]);
    await gated.make(secretManifest(gated.namespace, "knocks", knock));
    await accepted(agent, gated.policies("ssh"));
    await told(agent, []);
    await gated.make(secretManifest(gated.namespace, "knocks", ["nonsense"]));
    await told(agent, ["ssh secret-steps-invalid", "ssh previous-kept"]);
    await gated.remove("secret", "knocks");
    await told(agent, ["ssh secret-missing", "ssh previous-kept"]);
    await accepted(agent, gated.policies("ssh"));
    await gated.node.knock(...knock);
    await gated.node.until(ssh, "open");
  });

  test("need a role that names them, and so does the node; without it nothing else suffers", async () => {
    const name = `node-${gated.namespace}`;
    await gated.make(nodeManifest(name, { role: "bastion" }));
    await gated.make(
      secretManifest(gated.namespace, "knocks", knock),
      gated.sequence("ssh", { secret: "knocks", port: ssh }),
      gated.sequence("web", { steps: otherKnock, port: web }),
      gated.sequence("selected", { steps: ["5001", "6203", "5702"], port: 3003, nodeSelector: { role: "bastion" } }),
    );
    const verbs = ["--verb=get,list,watch"];
    const subject = `--serviceaccount=${gated.namespace}:agent`;
    const grant = async (role: string, ...what: readonly string[]) => {
      await gated.cluster.expect(["create", "role", "-n", gated.namespace, role, ...verbs, ...what]);
      await gated.cluster.expect(["create", "rolebinding", "-n", gated.namespace, role, `--role=${role}`, subject]);
    };
    await grant("policies", "--resource=knocksequences.knockgate.io");
    const token = await gated.cluster.serviceAccountToken(gated.namespace, "agent");
    const agent = await gated.startAgent([
      "--node-name",
      name,
      "--kubeconfig",
      gated.cluster.writeKubeconfig({ token }),
    ]);
    await accepted(agent, gated.policies("web"));
    await told(agent, ["selected node-unknown", "ssh secret-forbidden"]);
    await grant("secrets", "--resource=secrets", "--resource-name=knocks");
    await gated.cluster.expect([
      "create",
      "clusterrole",
      name,
      ...verbs,
      "--resource=nodes",
      `--resource-name=${name}`,
    ]);
    await gated.cluster.expect(["create", "clusterrolebinding", name, `--clusterrole=${name}`, subject]);
    await accepted(agent, gated.policies("ssh", "web", "selected"));
    await told(agent, []);
  });
});

describe("a ConfigMap by the API", () => {
  test("is waited for, followed, and missed without opening a port", async () => {
    const policy = (name: string, port: number) => JSON.stringify(gated.sequence(name, { steps: knock, port }));
    const configMap = (data: Record<string, string>) => {
      return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: gated.namespace, name: "gate" }, data };
    };
    const agent = gated.launch(["--configmap", `${gated.namespace}/gate`]);
    await agent.process.waitForLine("config-refused", { timeoutMs: 30_000 });
    expect((await agent.http("/readyz")).body).toContain("does not exist");
    await gated.make(configMap({ "ssh.json": policy("ssh", ssh) }));
    await agent.ready(30_000);
    await accepted(agent, gated.policies("ssh"));
    expect(await gated.node.meets(ssh)).toBe("silent");
    await gated.make(configMap({ "ssh.json": policy("ssh", web) }));
    await gated.node.until(web, "silent");
    await gated.remove("configmap", "gate");
    await eventually(async () => (await statusOf(agent)).policies.stale?.includes("does not exist"), {
      what: "the loss",
    });
    expect(await gated.node.meets(web)).toBe("silent");
    expect((await agent.http("/readyz")).status).toBe(200);
  });
});
