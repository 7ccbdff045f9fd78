import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { PacketSender } from "../netns/packet-sender.ts";
import type { WirePacket } from "../netns/wire-frame.ts";
import { accepted, statusOf } from "./agent-view.ts";
import { GatedCluster } from "./gated-cluster.ts";
import { apply, nodeManifest, podManifest, secretManifest, sequenceManifest } from "./manifests.ts";
import { agents, shippedPermissions, shippedRoles } from "./shipped-roles.ts";

/** Behind these there is a service. */
const [ssh, web, mail] = [3001, 3002, 3003];
const knock = ["7312/tcp", "9127/udp", "8845/udp"];
const { namespace } = agents;
const node = "bastion-1";
const flags = ["--crd", "--configmap", `${namespace}/policies`, "--node-name", node];
const all = ["ssh", "web", "mail"].map((name) => `${namespace}/${name}`);

const gated = GatedCluster.forTests([`${ssh}/tcp`, `${web}/tcp`, `${mail}/tcp`]);

/** A policy from each place that the roles speak of; the one of the API opens its door on every node. */
function policies(): readonly object[] {
  const { spec, ...sequence } = sequenceManifest({ namespace, name: "ssh", steps: knock, port: ssh });
  const nodeSelector = { role: "bastion" };
  const opens = { ...spec.opens, scope: "Cluster" };
  const inMap = sequenceManifest({ namespace, name: "mail", steps: ["5001", "6203", "5702"], port: mail });
  return [
    { ...sequence, spec: { ...spec, knock: { ...spec.knock, within: "1s" }, opens, nodeSelector } },
    secretManifest(namespace, "knocks", ["7413/udp", "9228/tcp", "8946/udp"]),
    sequenceManifest({ namespace, name: "web", secret: "knocks", port: web }),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name: "policies" },
      data: { "mail.json": JSON.stringify(inMap) },
    },
  ];
}

beforeAll(async () => {
  await gated.cluster.expect(["apply", "-f", new URL("../../deploy/admission.yaml", import.meta.url).pathname]);
  await apply(gated.cluster, ...shippedRoles(), nodeManifest(node, { role: "bastion" }));
  await apply(gated.cluster, podManifest(namespace, "agent", { account: agents.account, node }));
});

beforeEach(async () => {
  const { cluster } = gated;
  await cluster.expect(["delete", "kseq,kgr,leases,events", "-n", namespace, "--all"]);
  await cluster.expect(["delete", "kn", "--all"]);
  await apply(cluster, ...shippedRoles(), ...policies());
});

/** An agent with the token of its pod, that the API server has bound to the node. */
async function launch(): Promise<AgentProcess> {
  const token = await gated.cluster.serviceAccountToken(namespace, agents.account, "agent");
  return gated.launch(["--kubeconfig", gated.cluster.writeKubeconfig({ token }, namespace), ...flags]);
}

/** The visitor knocks with the very same packets each time, so that they name the same grant. */
async function knockAlike(): Promise<void> {
  const { world, visitor, gate } = gated.node;
  const packets = knock.map((step, at): WirePacket => {
    const [port, protocol] = step.split("/") as [string, "tcp" | "udp"];
    return { source: visitor.ipv4, target: gate.ipv4, protocol, port: Number(port), sourcePort: 33_000 + at };
  });
  await new PacketSender(world, visitor, gate).send(packets);
}

/** One field of an object; empty where there is no such object or field. */
async function field(path: string, ...args: readonly string[]): Promise<string> {
  return (await gated.cluster.kubectl(["get", ...args, "-n", namespace, "-o", `jsonpath={${path}}`])).stdout;
}

const grantNames = () => field(".items[*].metadata.name", "kgr");
const saysAccepted = () => field('.status.conditions[?(@.type=="Accepted")].status', "kseq", "ssh");
/** How often the policy was accepted. */
const eventCount = () => field('.items[?(@.involvedObject.name=="ssh")].count', "events");
const rowMode = () => field(".status.mode", "kn", node);
const leaseHolder = () => field(".spec.holderIdentity", "lease", "knockgate");

/** Resolves when the agent has said that the API server does not allow it this. */
async function refused(agent: AgentProcess, verb: string, resource: string): Promise<void> {
  await agent.process.waitForLine(new RegExp(`cannot ${verb} resource .{1,2}${resource}\\W`), { timeoutMs: 30_000 });
}

/** Whether the watches of one resource fail, and all others are current. */
async function onlyFails(agent: AgentProcess, resource: string): Promise<boolean> {
  const { kubernetes } = await statusOf(agent);
  const failing = kubernetes.filter(({ state }) => state !== "current");
  return failing.length > 0 && failing.every((watch) => watch.resource === resource && watch.state === "failing");
}

/** Whether every watch is current: of the policies and grants, the node, the ConfigMap and the Secret. */
async function isCurrent(agent: AgentProcess): Promise<boolean> {
  const { kubernetes } = await statusOf(agent);
  return kubernetes.length === 5 && kubernetes.every(({ state }) => state === "current");
}

/** What an agent lacks without a permission. It is asked only after the API server has refused it that. */
interface Proof {
  /** Beyond being there: what makes an agent need it. */
  readonly provoke?: (agent: AgentProcess) => Promise<unknown>;
  readonly lacks: (agent: AgentProcess) => Promise<boolean>;
}

const watchProof = (resource: string): Proof => ({ lacks: (agent) => onlyFails(agent, resource) });
/** Knocks, and resolves when the door is open here, as it is whatever the API says. */
async function knocked(agent: AgentProcess): Promise<void> {
  await agent.ready(30_000);
  await accepted(agent, all);
  await knockAlike();
  await gated.node.until(ssh, "open");
}
/** Another agent has written the Lease, and has let go of it. */
const leaseLeft = async () => {
  const spec = { holderIdentity: "", leaseDurationSeconds: 10 };
  const metadata = { namespace, name: "knockgate" };
  await apply(gated.cluster, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
};
const nobodyLeads = async () => (await saysAccepted()) === "" && (await leaseHolder()) === "";

/** Knocks with the same packets until a metric shows it; packets that come again within a second are retransmissions. */
async function knockedAgain(agent: AgentProcess, metric: string): Promise<void> {
  const again = async () => {
    await knockAlike();
    return ((await agent.metric(metric)) ?? 0) > 0;
  };
  await eventually(again, { what: "the same knock to be seen again", timeoutMs: 30_000, everyMs: 1200 });
}

const grantByHand = {
  apiVersion: "knockgate.io/v1alpha1",
  kind: "KnockGrant",
  metadata: { namespace, name: "by-hand" },
  spec: { sequenceRef: { name: "ssh" }, source: "203.0.113.7", for: "50s" },
};

/** By verb and resource: every permission of deploy/agent.yaml has its proof. */
const proofs: Readonly<Record<string, Proof>> = {
  "list knocksequences": watchProof("knocksequences"),
  "watch knocksequences": watchProof("knocksequences"),
  "list knockgrants": watchProof("knockgrants"),
  "watch knockgrants": watchProof("knockgrants"),
  "list nodes": watchProof("nodes"),
  "watch nodes": watchProof("nodes"),
  "list secrets": watchProof("secrets"),
  "watch secrets": watchProof("secrets"),
  "list configmaps": watchProof("configmaps"),
  "watch configmaps": watchProof("configmaps"),
  "create knockgrants": { provoke: knocked, lacks: async () => (await grantNames()) === "" },
  "get knockgrants": {
    provoke: async (agent) => {
      await knocked(agent);
      await eventually(grantNames, { what: "the grant" });
      await knockedAgain(agent, "knockgate_grant_replications_waiting");
    },
    lacks: async (agent) => {
      const joined = await agent.metric('knockgate_grant_replications_total{result="joined"}');
      const waiting = await agent.metric("knockgate_grant_replications_waiting");
      return joined === 0 && waiting === 1;
    },
  },
  "delete knockgrants": {
    provoke: async (agent) => {
      await knocked(agent);
      await eventually(grantNames, { what: "the grant" });
      expect((await agent.cli("revoke", gated.node.visitor.ipv4)).code).not.toBe(0);
    },
    lacks: async () => (await grantNames()) !== "",
  },
  "patch knocksequences/status": { lacks: async () => (await saysAccepted()) === "" },
  "patch knockgrants/status": {
    provoke: () => apply(gated.cluster, grantByHand),
    lacks: async () => (await field(".status.until", "kgr", "by-hand")) === "",
  },
  "create events": { lacks: async () => (await eventCount()) === "" },
  "patch events": {
    provoke: async () => {
      await eventually(async () => (await eventCount()) === "1", { what: "the first Event", timeoutMs: 30_000 });
      await gated.cluster.expect([
        "patch",
        "kseq",
        "ssh",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"spec":{"opens":{"for":"61s"}}}',
      ]);
    },
    lacks: async () => (await eventCount()) === "1",
  },
  "create leases": { lacks: nobodyLeads },
  "get leases": { lacks: nobodyLeads },
  "patch leases": { provoke: leaseLeft, lacks: nobodyLeads },
  "create knocknodes": { lacks: async () => (await rowMode()) === "" },
  "patch knocknodes": { lacks: async () => (await rowMode()) === "" },
  "patch knocknodes/status": { lacks: async () => (await rowMode()) === "" },
};

test("with exactly the shipped roles everything works, and the API server refuses nothing", async () => {
  const agent = await launch();
  await agent.ready(30_000);
  await accepted(agent, all);
  await eventually(() => isCurrent(agent), { what: "every watch to be current" });
  await knocked(agent);
  await eventually(grantNames, { what: "the grant" });
  await knockedAgain(agent, 'knockgate_grant_replications_total{result="joined"}');
  await eventually(async () => (await saysAccepted()) === "True", {
    what: "the status of the policy",
    timeoutMs: 30_000,
  });
  await eventually(async () => (await rowMode()) === "enforce", { what: "the row of the node", timeoutMs: 30_000 });
  await eventually(eventCount, { what: "an Event", timeoutMs: 30_000 });
  await apply(gated.cluster, grantByHand);
  await eventually(() => field(".status.until", "kgr", "by-hand"), {
    what: "the status of the grant",
    timeoutMs: 30_000,
  });
  expect((await agent.cli("revoke", gated.node.visitor.ipv4)).code).toBe(0);
  await eventually(async () => (await grantNames()) === "by-hand", { what: "the grant to be deleted" });
  await gated.node.until(ssh, "silent");
  expect(agent.process.text).not.toMatch(/forbidden|cannot/);
});

describe("without", () => {
  test("any permission something is missing, and which is known here", () => {
    expect(
      shippedPermissions()
        .map(({ verb, resource }) => `${verb} ${resource}`)
        .sort(),
    ).toEqual(Object.keys(proofs).sort());
  });

  test.each(shippedPermissions())(
    "$verb $resource ($role) just that is missing, and it is said",
    async (permission) => {
      const { verb, resource } = permission;
      await apply(gated.cluster, ...shippedRoles(permission));
      const agent = await launch();
      const { provoke, lacks } = proofs[`${verb} ${resource}`] as Proof;
      await provoke?.(agent);
      await refused(agent, verb, resource);
      await eventually(() => lacks(agent), { what: `what needs to ${verb} ${resource} to be missing` });
    },
  );
});

test("an agent that reads files alone needs no token", async () => {
  const policy = sequenceManifest({ namespace, name: "ssh", steps: knock, port: ssh });
  const agent = gated.launch([], { policies: JSON.stringify(policy) });
  await agent.ready();
  await gated.node.knock(...knock);
  await gated.node.until(ssh, "open");
  expect((await statusOf(agent)).kubernetes).toEqual([]);
});
