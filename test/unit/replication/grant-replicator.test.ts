import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiError } from "../../../src/kubernetes/api-error.ts";
import type { StatusCondition } from "../../../src/kubernetes/condition.ts";
import type { KubeObject } from "../../../src/kubernetes/resource.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import type { KnownTerms } from "../../../src/policy/grant-terms.ts";
import { grantKind } from "../../../src/replication/grant-address.ts";
import { FakeApi } from "../../fake/fake-api.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeGate } from "../../fake/fake-gate.ts";
import { handMade, type NodeOptions, ReplicatedNode, settle } from "../../fake/replicated-node.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const alice = "192.0.2.11";
const ssh = samplePolicy({ uid: "uid-ssh", scope: "Cluster", closedBy: ["9000/udp"] });
const collection = { kind: grantKind, namespace: "default" };
const { signal } = new AbortController();

let clock: FakeClock;
let api: FakeApi;
let nodes: ReplicatedNode[];

beforeEach(() => {
  clock = new FakeClock();
  api = new FakeApi();
  api.serverMicros = () => clock.nowMicros() + 1_600_000_000_300_000;
  nodes = [];
});

afterEach(async () => {
  for (const node of nodes) await node.replicator.close();
});

async function start(options: NodeOptions = {}, policies = [ssh]): Promise<ReplicatedNode> {
  const node = new ReplicatedNode(api, clock, options);
  nodes.push(node);
  await node.start(policies);
  return node;
}

async function twoNodes(): Promise<[ReplicatedNode, ReplicatedNode]> {
  return [await start({ name: "node-a" }), await start({ name: "node-b", upSeconds: 5000 })];
}

/** Time goes by, and everybody does what falls due. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    clock.advance(Math.min(left, 100));
    await settle();
  }
}

async function create(name: string, spec: object): Promise<void> {
  const whole = { sequenceRef: { name: "ssh" }, source: alice, ...spec };
  await api.create(collection, handMade(name, whole), signal);
  await settle();
}

async function remove(name: string): Promise<void> {
  await api.delete({ ...collection, name }, signal);
  await settle();
}

function names(): string[] {
  return api.all("knockgrants").map(({ metadata }) => metadata.name);
}

describe("a knock on one node", () => {
  test("opens the door there and on every other, by one object that names its policy, source, ports and time", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    for (const node of [a, b])
      expect(node.open).toEqual([expect.stringMatching(/^192\.0\.2\.11 22\/tcp (29|30)\.\ds$/)]);
    expect(api.all("knockgrants")).toMatchObject([
      {
        metadata: {
          name: expect.stringMatching(/^ssh-[0-9a-f]{32}$/),
          annotations: { "knockgate.io/node": "node-a" },
          ownerReferences: [{ kind: "KnockSequence", name: "ssh", uid: "uid-ssh" }],
        },
        spec: { sequenceRef: { name: "ssh" }, source: alice, ports: ["22/tcp"], for: "30s" },
      },
    ]);
    expect(a.events.map(({ kind, detail }) => `${kind} ${detail}`)).toEqual(["added knock"]);
    expect(b.events.map(({ kind, detail }) => `${kind} ${detail}`)).toEqual([`added KnockGrant default/${names()[0]}`]);
  });

  test("is held by the KnockGrant on both, once the watch has shown it", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    expect([a.holds, b.holds]).toEqual([[`${ssh.id}k`], [`${ssh.id}k`]]);
  });

  test("of a policy for one node stays there", async () => {
    const here = samplePolicy({ uid: "uid-ssh", scope: "Node" });
    const a = await start({}, [here]);
    await a.knock(here, alice);
    expect([a.open.length, names()]).toEqual([1, []]);
  });

  test("that several nodes see makes one object", async () => {
    const [a, b] = await twoNodes();
    await Promise.all([a.knock(ssh, alice), b.knock(ssh, alice)]);
    await pass(100);
    expect(names()).toHaveLength(1);
    expect([...a.created, ...b.created].sort()).toEqual(["created", "joined"]);
    expect([a.holds, b.holds]).toEqual([[`${ssh.id}k`], [`${ssh.id}k`]]);
  });

  test("ends everywhere when its time is over, and the leader deletes the object afterwards", async () => {
    const [a, b] = await twoNodes();
    const leader = await start({ name: "node-c", isLeader: true });
    await a.knock(ssh, alice);
    await pass(31_000);
    for (const node of [a, b, leader]) {
      expect(node.open).toEqual([]);
      expect(node.events.at(-1)).toMatchObject({ kind: "expired" });
    }
    expect(names()).toHaveLength(1);
    await pass(8000);
    expect(names()).toEqual([]);
    expect(api.writes.filter((write) => write.startsWith("delete"))).toHaveLength(1);
  });

  test("from a range that gets no grant opens nothing anywhere", async () => {
    const a = await start({ never: ["192.0.2.0/24"] });
    await a.knock(ssh, alice);
    expect([a.open, names()]).toEqual([[], []]);
    expect(a.events).toMatchObject([{ kind: "refused", reason: "never-grant" }]);
  });
});

describe("a renewal", () => {
  test("is another object, and the door is open without a gap as long as one lives", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice, "first");
    await pass(20_000);
    await b.knock(ssh, alice, "second");
    expect(names()).toHaveLength(2);
    for (const node of [a, b]) expect(Math.abs(node.left - 30)).toBeLessThan(1);
    await pass(20_000);
    for (const node of [a, b]) expect(Math.abs(node.left - 10)).toBeLessThan(1);
    for (const node of [a, b]) expect(node.events.map(({ kind }) => kind)).toEqual(["added", "renewed"]);
  });

  test("with the very same packet is one all the same", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    await pass(20_000);
    await a.knock(ssh, alice);
    expect(names()).toHaveLength(2);
    for (const node of [a, b]) expect(Math.abs(node.left - 30)).toBeLessThan(1);
  });

  test("that is deleted leaves what the grant before it holds", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice, "first");
    const [first] = names();
    await pass(10_000);
    await a.knock(ssh, alice, "second");
    await remove(names().find((name) => name !== first) ?? "");
    for (const node of [a, b]) {
      expect(Math.abs(node.left - 20)).toBeLessThan(1);
      expect(node.events.at(-1)).toMatchObject({ kind: "shortened" });
    }
  });
});

describe("deleting a grant", () => {
  test("closes the door on every node, and says so", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    await remove(names()[0] ?? "");
    for (const node of [a, b]) {
      expect(node.open).toEqual([]);
      expect(node.events.at(-1)).toMatchObject({ kind: "revoked", detail: "grant-deleted" });
    }
  });

  test("closes only what it held: a knock for another policy keeps the port open", async () => {
    const web = samplePolicy({ name: "web", ports: ["22/tcp", "80/tcp"], forSeconds: 60 });
    const a = await start({}, [ssh, web]);
    await a.knock(web, alice);
    await a.knock(ssh, alice);
    await remove(names()[0] ?? "");
    expect(a.holds).toEqual([web.id, web.id]);
    expect(a.open.map((door) => door.split(" ")[1])).toEqual(["22/tcp", "80/tcp"]);
  });

  test("closes it on an agent that was away meanwhile, after the first complete list", async () => {
    const gate = new FakeGate();
    const a = await start({ name: "node-a" });
    const b = new ReplicatedNode(api, clock, { name: "node-b", gate });
    await b.start([ssh]);
    await a.knock(ssh, alice);
    expect(gate.open.size).toBe(1);
    await b.replicator.close();
    await remove(names()[0] ?? "");
    expect(gate.open.size).toBe(1);
    const back = await start({ name: "node-b", gate });
    expect(back.open).toEqual([]);
    expect(back.events).toMatchObject([{ kind: "revoked", policy: "default/ssh", detail: "grant-deleted" }]);
  });

  test("at once, before the watch has shown it, closes it on the node of the knock too", async () => {
    const a = await start();
    api.hold("knockgrants");
    await a.knock(ssh, alice);
    await remove(names()[0] ?? "");
    api.letGo("knockgrants");
    await pass(6000);
    expect(a.open).toEqual([]);
  });
});

describe("closing on one node", () => {
  test.each([
    { how: "closedBy", act: (node: ReplicatedNode) => node.knock(ssh, alice, "other", "close") },
    { how: "knockgate revoke", act: revoke },
  ])("by $how deletes the grants of the source and policy, so that all close", async ({ act }) => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice, "first");
    await b.knock(ssh, alice, "second");
    await b.knock(ssh, "192.0.2.99", "third");
    await act(b);
    await settle();
    for (const node of [a, b]) expect(node.open).toEqual([expect.stringContaining("192.0.2.99")]);
    expect(names()).toHaveLength(1);
  });

  test("while the API is down closes here at once, says that others follow, and they do", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    api.fail("knockgrants", "unreachable");
    await settle();
    await expect(revoke(a)).rejects.toThrow("closed on this node; other nodes follow");
    expect([a.open.length, b.open.length]).toEqual([0, 1]);
    api.fail("knockgrants", undefined);
    await pass(3000);
    expect([a.open, b.open, names()]).toEqual([[], [], []]);
  });

  test("a knock that waits for the API makes no grant any more", async () => {
    const a = await start();
    api.fail("knockgrants", "unreachable");
    await a.knock(ssh, alice);
    await revoke(a);
    api.fail("knockgrants", undefined);
    await pass(3000);
    expect([a.open, names()]).toEqual([[], []]);
  });

  test("an element that somebody deletes from the kernel closes that node's door alone, and it stays closed", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    b.granter.acceptRevocation(b.granter.liveGrants());
    b.gate.open.clear();
    await a.knock(ssh, "192.0.2.99", "other");
    expect(a.open).toHaveLength(2);
    expect(b.open).toEqual([expect.stringContaining("192.0.2.99")]);
  });
});

describe("a grant made by hand", () => {
  test("opens a door without a knock on every node", async () => {
    const [a, b] = await twoNodes();
    await create("by-hand", {});
    for (const node of [a, b]) expect(Math.abs(node.left - 30)).toBeLessThan(1);
  });

  test("for one node opens there alone", async () => {
    const [a, b] = await twoNodes();
    await create("by-hand", { node: "node-b" });
    expect([a.open.length, b.open.length]).toEqual([0, 1]);
    expect(a.events).toEqual([]);
  });

  test("opens through a policy for one node too, and leaves what a knock there holds", async () => {
    const here = samplePolicy({ ports: ["22/tcp"], forSeconds: 30 });
    const a = await start({}, [here]);
    await a.knock(here, alice);
    await create("by-hand", { for: "10s" });
    expect(a.holds).toEqual([here.id, `${here.id}k`]);
    await remove("by-hand");
    expect([a.holds, a.left]).toEqual([[here.id], 30]);
  });

  test.each([
    { what: "a source that may not knock", spec: { source: "198.51.100.1" }, reason: "source-not-allowed" },
    { what: "a port of another door", spec: { ports: ["23/tcp"] }, reason: "port-not-allowed" },
    { what: "a source that never gets a grant", spec: { source: "192.0.2.200" }, reason: "never-grant" },
  ])("for $what is refused, and recorded once", async ({ spec, reason }) => {
    const narrow = samplePolicy({ uid: "uid-ssh", scope: "Cluster", sources: ["192.0.2.0/24"] });
    const a = await start({ never: ["192.0.2.200"] }, [narrow]);
    await create("by-hand", spec);
    await create("another", { source: "198.51.100.7", sequenceRef: { name: "unknown" } });
    await pass(2000);
    expect(a.open).toEqual([]);
    expect(a.events).toMatchObject([{ kind: "refused", reason, policy: "default/ssh" }]);
    expect(a.events[0]?.detail).toContain("KnockGrant default/by-hand");
  });

  test("for more ports and time than the policy allows opens what it allows, and the rest is recorded", async () => {
    const a = await start();
    await create("by-hand", { ports: ["22/tcp", "23-25/tcp"], for: "10m" });
    expect(a.open).toEqual([expect.stringMatching(/22\/tcp (29|30)\.\ds/)]);
    expect(a.events).toMatchObject([{ kind: "refused", reason: "port-not-allowed" }, { kind: "added" }]);
  });

  test("that no version can read opens nothing, and is told", async () => {
    const a = await start();
    await create("by-hand", { source: "everybody" });
    expect([a.open, a.warnings]).toEqual([[], [expect.stringContaining("KnockGrant default/by-hand opens nothing")]]);
  });
});

describe("policies that change", () => {
  test("a policy that comes opens what grants say already; one that goes closes it", async () => {
    const a = await start({}, []);
    await create("by-hand", {});
    expect(a.open).toEqual([]);
    await a.usePolicies([ssh]);
    expect(a.open).toHaveLength(1);
    await a.usePolicies([]);
    expect(a.open).toEqual([]);
    await a.usePolicies([ssh]);
    expect(a.open).toHaveLength(1);
  });

  test("a policy that allows less closes earlier, and closes what it does not allow any more", async () => {
    const a = await start({}, [
      samplePolicy({ uid: "u", scope: "Cluster", ports: ["22/tcp", "80/tcp"], forSeconds: 600 }),
    ]);
    await create("by-hand", {});
    await a.usePolicies([samplePolicy({ uid: "u", scope: "Cluster", ports: ["22/tcp"], forSeconds: 60 })]);
    expect(a.open).toEqual([expect.stringMatching(/22\/tcp (59|60)\.\ds/)]);
    await a.usePolicies([
      samplePolicy({ uid: "u", scope: "Cluster", ports: ["22/tcp"], sources: ["198.51.100.0/24"] }),
    ]);
    expect(a.open).toEqual([]);
  });
});

describe("without the API", () => {
  test("a door opens here at once, and on the others for what is left when it is back", async () => {
    const [a, b] = await twoNodes();
    api.fail("knockgrants", "unreachable");
    await a.knock(ssh, alice);
    expect([a.left, b.left, a.waiting]).toEqual([30, 0, 1]);
    await pass(10_000);
    api.fail("knockgrants", undefined);
    await pass(12_000);
    expect(api.all("knockgrants")).toHaveLength(1);
    for (const node of [a, b]) expect(Math.abs(node.left - 8)).toBeLessThan(1);
    expect(a.waiting).toBe(0);
  });

  test("an API that takes long to make the grant makes no door longer", async () => {
    const [a, b] = await twoNodes();
    let slow = true;
    api.beforeCreate = () => {
      if (slow) clock.advance(9000);
      slow = false;
    };
    await a.knock(ssh, alice);
    await pass(100);
    for (const node of [a, b]) expect(Math.abs(node.left - 21)).toBeLessThan(1);
    expect(names()).toHaveLength(1);
    expect(b.events.map(({ kind }) => kind)).toEqual(["added", "shortened"]);
  });

  test("an API that is slow each time is asked for two grants, not for one after the other", async () => {
    const [a, b] = await twoNodes();
    api.beforeCreate = () => clock.advance(3000);
    await a.knock(ssh, alice);
    await pass(1000);
    expect(api.writes.filter((write) => write.startsWith("create"))).toHaveLength(2);
    expect(names()).toHaveLength(1);
    expect(b.left).toBeLessThanOrEqual(27.5); // three seconds too long, and not more than its policy allows from then on
  });

  test("a door whose time is over meanwhile makes no grant", async () => {
    const a = await start();
    api.fail("knockgrants", "unreachable");
    await a.knock(ssh, alice);
    await pass(35_000);
    api.fail("knockgrants", undefined);
    await pass(35_000);
    expect([names(), a.created]).toEqual([[], ["late"]]);
  });

  test("an API that refuses the grant is told, and the door stays open here alone", async () => {
    const [a, b] = await twoNodes();
    api.beforeCreate = () => {
      throw new ApiError("refused", "denied by policy");
    };
    await a.knock(ssh, alice);
    expect([a.left, b.left, a.created]).toEqual([30, 0, ["refused"]]);
    expect(a.warnings).toEqual([expect.stringMatching(/only open on this node.*denied by policy/)]);
  });

  test("nothing closes: what is known stays", async () => {
    const [a, b] = await twoNodes();
    await a.knock(ssh, alice);
    api.fail("knockgrants", "unreachable");
    await pass(10_000);
    for (const node of [a, b]) expect(Math.abs(node.left - 20)).toBeLessThan(1);
  });
});

describe("clocks", () => {
  test.each([
    { wallAheadSeconds: 420, upSeconds: 0 },
    { wallAheadSeconds: -420, upSeconds: 1e6 },
  ])("that are minutes apart do no harm: %j", async (skew) => {
    const a = await start({ name: "node-a" });
    const b = await start({ name: "node-b", ...skew });
    for (const at of [0, 270, 540, 810]) {
      await pass(at);
      await a.knock(ssh, alice, `packet ${at}`);
      for (const node of [a, b]) expect(Math.abs(node.left - 30)).toBeLessThanOrEqual(1);
      await revoke(a);
      await pass(1000);
    }
  });

  test("never make a door a second longer or shorter than its policy says, at whatever fractions of a second", async () => {
    const micros = fc.nat(999_999);
    const skew = fc.integer({ min: -900, max: 900 });
    const played = fc.asyncProperty(micros, fc.nat(2500), skew, skew, async (fraction, startedMs, wall, up) => {
      clock = new FakeClock();
      api = new FakeApi();
      api.serverMicros = () => clock.nowMicros() + 1_600_000_000_000_000 + fraction;
      const a = await start({ name: "node-a" });
      await pass(startedMs);
      const b = await start({ name: "node-b", wallAheadSeconds: wall, upSeconds: 1000 + up });
      await a.knock(ssh, alice);
      for (const node of [a, b]) expect(Math.abs(node.left - 30)).toBeLessThanOrEqual(1);
      await pass(5000);
      for (const node of [a, b]) expect(Math.abs(node.left - 25)).toBeLessThanOrEqual(1);
      for (const node of nodes.splice(0)) await node.replicator.close();
    });
    await fc.assert(played, { numRuns: 60 });
  });

  test("an agent that starts later opens what is live, for what is left, and nothing that is over", async () => {
    const a = await start();
    await a.knock(ssh, alice, "first");
    await pass(25_000);
    await a.knock(ssh, "192.0.2.99", "second");
    await pass(10_000);
    const late = await start({ name: "node-b", upSeconds: 77, wallAheadSeconds: 600 });
    expect(late.open).toEqual([expect.stringContaining("192.0.2.99")]);
    expect(Math.abs(late.left - 20)).toBeLessThan(1);
  });
});

test("a kernel that fails for long opens the door when it works again", async () => {
  const [a, b] = await twoNodes();
  b.gate.broken = new Error("nftables refused");
  const long = samplePolicy({ uid: "uid-ssh", scope: "Cluster", forSeconds: 600 });
  for (const node of [a, b]) await node.usePolicies([long]);
  await a.knock(long, alice);
  await pass(10_000);
  expect(b.events.at(-1)).toMatchObject({ kind: "failed" });
  b.gate.broken = undefined;
  await pass(30_000);
  expect(b.open).toHaveLength(1);
});

test("grants that come while planning has just taken long are planned together, a little later", async () => {
  const a = await start({ judgeMs: 10 });
  await create("first", {});
  await pass(5000);
  await create("second", { source: "192.0.2.12" });
  for (const at of [13, 14, 15]) await create(`more-${at}`, { source: `192.0.2.${at}` });
  expect(a.open).toHaveLength(2);
  await pass(100);
  expect(a.open).toHaveLength(5);
});

test("a stop leaves no timer, watch or request", async () => {
  const a = await start({ isLeader: true });
  await a.knock(ssh, alice);
  await revoke(a);
  await a.replicator.close();
  await a.granter.close();
  await settle();
  expect(api.openWatches).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

async function revoke(node: ReplicatedNode): Promise<void> {
  const source = parseAddress(alice) ?? new Uint32Array(4);
  await node.granter.revoke(source);
  await node.replicator.revoke(source, undefined);
}

describe("an agent that ends before it has told the API of a knock", () => {
  /** A node that has seen a knock while the API did not answer, and is gone; what its kernel has. */
  async function knockedInVain(policy = ssh): Promise<FakeGate> {
    const first = await start({}, [policy]);
    api.fail("knockgrants", "unreachable");
    await pass(1000);
    await first.knock(policy, alice);
    await pass(2000);
    await first.replicator.close();
    nodes = [];
    return first.gate;
  }

  /** The same node's next agent, and one on another node. */
  async function startAgain(gate: FakeGate, policies = [ssh]): Promise<[ReplicatedNode, ReplicatedNode]> {
    return [await start({ gate }, policies), await start({ name: "node-b", upSeconds: 5000 }, policies)];
  }

  test("leaves it to the next one, which makes up for it for what is left", async () => {
    const gate = await knockedInVain();
    const [again, other] = await startAgain(gate);
    await pass(3000);
    expect([again.left, other.left]).toEqual([expect.closeTo(25, 0), 0]);
    api.fail("knockgrants", undefined);
    await pass(31_000 - 10_000);
    expect(names()).toHaveLength(1);
    expect(again.holds).toEqual([`${ssh.id}k`]);
    expect(other.left).toBeGreaterThan(0);
    expect(Math.abs(again.left - other.left)).toBeLessThan(1.5);
  });

  test("does not make up for what was closed meanwhile, or for a door of one node", async () => {
    const gate = await knockedInVain();
    gate.open.clear();
    const web = samplePolicy({ name: "web", uid: "uid-web", scope: "Node", steps: ["7100/tcp"] });
    const again = await start({ gate }, [ssh, web]);
    await again.knock(web, alice);
    await again.replicator.close();
    api.fail("knockgrants", undefined);
    await start({ gate }, [ssh, web]);
    await pass(31_000);
    expect(names()).toEqual([]);
  });

  test("makes no second one where the first was created all the same", async () => {
    const first = await start();
    api.hold("knockgrants");
    await first.knock(ssh, alice);
    expect(first.holds).toEqual([ssh.id]);
    await first.replicator.close();
    api.letGo("knockgrants");
    const again = await start({ gate: first.gate });
    await pass(3000);
    expect(names()).toHaveLength(1);
    expect(again.holds).toEqual([`${ssh.id}k`]);
  });

  test("makes up for a door until closed", async () => {
    const lasting = samplePolicy({ uid: "uid-ssh", scope: "Cluster", forSeconds: 0 });
    const gate = await knockedInVain(lasting);
    api.fail("knockgrants", undefined);
    const [, other] = await startAgain(gate, [lasting]);
    await pass(1000);
    expect(other.open).toEqual(["192.0.2.11 22/tcp until closed"]);
  });
});

describe("the leader", () => {
  const terms = new Map<string, KnownTerms>([
    ["default/elsewhere", { opens: ssh.opens, opensBy: ssh.opensBy }],
    ["default/gone", "missing"],
    ["default/new", "unreadable"],
  ]);
  const said = (name: string) => {
    const found = api.all("knockgrants").find(({ metadata }) => metadata.name === name);
    const { until, conditions } =
      (
        found as KubeObject & {
          readonly status?: { readonly until?: string; readonly conditions?: readonly StatusCondition[] };
        }
      ).status ?? {};
    const [condition] = conditions ?? [];
    return [condition?.status, condition?.reason, until].filter((part) => part !== undefined).join(" ");
  };
  const statusWrites = () => api.writes.filter((write) => write.startsWith("patch"));

  test("says of grants made by hand whether their policy allows them and until when, also where it is for other nodes", async () => {
    await start({ isLeader: true, terms });
    await create("for-all", { for: "10s" });
    await create("too-much", { ports: ["22/tcp", "80/tcp"] });
    await create("wrong-port", { ports: ["80/tcp"] });
    await create("elsewhere", { sequenceRef: { name: "elsewhere" }, node: "node-z" });
    await create("orphan", { sequenceRef: { name: "gone" } });
    await create("newer", { sequenceRef: { name: "new" } });
    await pass(3000);
    expect(said("for-all")).toBe("True Accepted 2020-09-13T12:43:30Z");
    expect(said("too-much")).toMatch(/^True AcceptedInPart 2020/);
    expect(said("wrong-port")).toBe("False PortNotAllowed");
    expect(said("elsewhere")).toMatch(/^True Accepted 2020/);
    expect(said("orphan")).toBe("Unknown SequenceMissing");
    expect(said("newer")).toBe("");
    expect(statusWrites()).toHaveLength(5);
    await pass(5000);
    expect(statusWrites()).toHaveLength(5);
  });

  test("writes nothing of grants that knocks made, unless their policy does not allow them any more", async () => {
    const node = await start({ isLeader: true });
    await node.knock(ssh, alice);
    await pass(3000);
    expect(statusWrites()).toEqual([]);
    await node.usePolicies([samplePolicy({ uid: "uid-ssh", scope: "Cluster", sources: ["198.51.100.0/24"] })]);
    await pass(3000);
    expect(said(names()[0] ?? "")).toBe("False SourceNotAllowed");
  });

  test("deletes what is over on other nodes too, and what has no end because its KnockSequence does not exist", async () => {
    await start({ isLeader: true, terms });
    await create("elsewhere", { sequenceRef: { name: "elsewhere" } });
    await create("orphan", { sequenceRef: { name: "gone" } });
    await create("endless", { sequenceRef: { name: "gone" }, for: "0s" });
    await create("own-end", { sequenceRef: { name: "gone" }, for: "1h" });
    await create("unknown", { sequenceRef: { name: "nobody-knows" } });
    await pass(40_000);
    expect(names()).not.toContain("elsewhere");
    expect(names()).toContain("orphan");
    await pass(600_000);
    expect(names().toSorted()).toEqual(["own-end", "unknown"]);
  });

  test("alone does", async () => {
    await start({ isLeader: false, terms });
    await create("orphan", { sequenceRef: { name: "gone" } });
    await pass(60_000);
    expect(statusWrites()).toEqual([]);
  });
});
