import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../netns/eventually.ts";
import type { Identity } from "./cluster-access.ts";
import { ControlPlane } from "./control-plane.ts";
import { apply, nodeManifest, podManifest } from "./manifests.ts";
import { agents, shippedRoles } from "./shipped-roles.ts";

const apiVersion = "knockgate.io/v1alpha1";
const deploy = new URL("../../deploy/", import.meta.url).pathname;
const policies = ["admission.yaml", "examples/access/people.yaml"];
const { namespace, account } = agents;
const ownNode = "bastion-1";

let plane: ControlPlane;
/** Kubeconfigs, by who it is. */
let agent: string;
let agentWithoutNode: string;

beforeAll(async () => {
  plane = await ControlPlane.start();
  const { cluster } = plane;
  await cluster.installDefinitions();
  await cluster.expect(["create", "namespace", "bastion"]);
  const doors = { ...clusterWide("ClusterRoleBinding"), metadata: { name: "doors" } };
  await apply(cluster, ...shippedRoles(), nodeManifest(ownNode, {}), nodeManifest("bastion-2", {}), doors);
  await apply(cluster, podManifest(namespace, "agent", { account, node: ownNode }));
  agent = cluster.writeKubeconfig({ token: await cluster.serviceAccountToken(namespace, account, "agent") });
  agentWithoutNode = cluster.writeKubeconfig({ token: await cluster.serviceAccountToken(namespace, account) });
  for (const file of policies) await cluster.expect(["apply", "-f", `${deploy}${file}`]);
  await inForce();
});
afterAll(() => plane.stop());

/** Agents may create grants in every namespace. */
function clusterWide(kind: string): object {
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "knockgate-doors" };
  const subjects = [{ kind: "ServiceAccount", name: account, namespace }];
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind, roleRef, subjects };
}

/** An API server has compiled a policy some moments after it has taken it: both refuse what they have to refuse. */
async function inForce(): Promise<void> {
  const refuse = async () => {
    const byAgent = await create(row("bastion-2"), agent);
    const byPerson = await create(grant({ for: "2h" }), as({ as: "root", groups: ["system:masters"] }));
    return byAgent !== undefined && byPerson !== undefined;
  };
  await eventually(refuse, { what: "the admission policies to be in force", timeoutMs: 60_000, everyMs: 100 });
}

function as(identity: Identity): string {
  return plane.cluster.writeKubeconfig(identity, "bastion");
}

function row(name: string, status?: object): object {
  return { apiVersion, kind: "KnockNode", metadata: { name }, ...(status !== undefined && { status }) };
}

function grant(spec: object, annotations: Readonly<Record<string, string>> = {}): object {
  const metadata = { name: "door", namespace: "bastion", annotations };
  return {
    apiVersion,
    kind: "KnockGrant",
    metadata,
    spec: { sequenceRef: { name: "ssh" }, source: "203.0.113.7", ...spec },
  };
}

/** What the API server says to an object that somebody creates, which is not kept: its refusal, or undefined. */
async function create(object: object, kubeconfig: string): Promise<string | undefined> {
  const input = JSON.stringify(object);
  const { code, stderr } = await plane.cluster.kubectl(["create", "--dry-run=server", "-f", "-"], {
    input,
    kubeconfig,
  });
  return code === 0 ? undefined : stderr;
}

/** The same for an object, or its status, that somebody applies. */
async function applyAs(object: object, kubeconfig: string, ...args: readonly string[]): Promise<string | undefined> {
  const options = { input: JSON.stringify(object), kubeconfig };
  const { code, stderr } = await plane.cluster.kubectl(["apply", "--server-side", ...args, "-f", "-"], options);
  return code === 0 ? undefined : stderr;
}

const seenBy = (node: string) => ({ "knockgate.io/node": node });

describe("an agent", () => {
  test("writes the row of its own node and its status, and no other's", async () => {
    expect(await applyAs(row(ownNode), agent)).toBeUndefined();
    expect(await applyAs(row(ownNode, { nodeName: ownNode }), agent, "--subresource=status")).toBeUndefined();
    expect(await applyAs(row(ownNode, { nodeName: "bastion-2" }), agent, "--subresource=status")).toContain(
      "The nodeName of a KnockNode is the name of its own node, bastion-1.",
    );
    await plane.cluster.expect(["create", "-f", "-"], { input: JSON.stringify(row("bastion-2")) });
    for (const args of [[], ["--subresource=status"]])
      expect(await applyAs(row("bastion-2", { nodeName: "bastion-2" }), agent, ...args)).toContain(
        "An agent writes the KnockNode of its own node, bastion-1.",
      );
  });

  test.each<[string, object, string | undefined]>([
    ["that it has seen itself", grant({}, seenBy(ownNode)), undefined],
    ["that another node has seen", grant({}, seenBy("bastion-2")), "of its own node, bastion-1."],
    ["that nobody has seen", grant({}), "of its own node, bastion-1."],
    ["for its own node", grant({ node: ownNode }, seenBy(ownNode)), undefined],
    ["for another node alone", grant({ node: "bastion-2" }, seenBy(ownNode)), "not on another one than bastion-1."],
  ])("creates a grant for a knock %s: as it should be", async (_, object, refusal) => {
    const said = await create(object, agent);
    if (refusal === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(refusal);
  });

  test("whose token is bound to no node writes nothing", async () => {
    for (const object of [row(ownNode), grant({}, seenBy(ownNode)), grant({}, seenBy(""))])
      expect(await create(object, agentWithoutNode)).toContain("and its token names none.");
  });
});

describe("a person", () => {
  const onCall = () => as({ as: "alice", groups: ["on-call", "system:authenticated"] });

  test.each<[string, object, string | undefined]>([
    ["a door of hers for a while", grant({ for: "10m" }), undefined],
    ["a door of hers on one node", grant({ for: "1h", node: ownNode }), undefined],
    [
      "another door",
      grant({ for: "10m", sequenceRef: { name: "web" } }),
      "You may not open the door of the KnockSequence web",
    ],
    ["a door for too long", grant({ for: "61m" }), "says for how long, an hour at most"],
    ["a door without end", grant({ for: "0s" }), "says for how long, an hour at most"],
    ["a door without saying for how long", grant({}), "says for how long, an hour at most"],
    ["a door in the name of an agent", grant({ for: "10m" }, seenBy(ownNode)), "is what agents say: leave it out"],
  ])("on call opens %s: as the Role has it", async (_, object, refusal) => {
    const said = await create(object, onCall());
    if (refusal === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(refusal);
  });

  test("who may create grants but not open the policy opens nothing, and reads no steps", async () => {
    const { cluster } = plane;
    await cluster.expect([
      "create",
      "role",
      "-n",
      "bastion",
      "grants",
      "--verb=create",
      "--resource=knockgrants.knockgate.io",
    ]);
    await cluster.expect(["create", "rolebinding", "-n", "bastion", "bob", "--role=grants", "--user=bob"]);
    expect(await create(grant({ for: "10m" }), as({ as: "bob" }))).toContain(
      "You may not open the door of the KnockSequence ssh",
    );
    const { stderr } = await cluster.kubectl(["get", "kseq", "-n", "bastion"], { kubeconfig: onCall() });
    expect(stderr).toContain("cannot list resource");
  });
});
