import { expect, test } from "vitest";
import { conditionsOf } from "../../../src/kubernetes/condition.ts";
import { type NodeClaim, NodeStatus } from "../../../src/kubernetes/node-status.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { StoredObjects } from "../../fake/stored-objects.ts";

const address = { kind: { group: "knockgate.io", version: "v1alpha1", plural: "knocknodes" }, name: "node-a" };

function claimOf(ready: boolean, grants: number): NodeClaim {
  const status = ready ? "True" : "False";
  return {
    conditions: [{ type: "Ready", status, reason: ready ? "Well" : "Ill", message: "." }],
    fields: { mode: "enforce", grants },
  };
}

function setUp() {
  const clock = new FakeClock();
  const api = new StoredObjects();
  const said: { claim: NodeClaim | undefined; uid: string | undefined } = { claim: claimOf(true, 0), uid: "uid-a" };
  const failures: string[] = [];
  const make = () =>
    new NodeStatus({
      client: api,
      clock,
      random: () => 0.5,
      node: "node-a",
      nodeUid: () => said.uid,
      claim: async () => said.claim,
      failed: ({ code }) => failures.push(code),
    });
  const object = async () => (await api.get(address)).body as unknown as Record<string, Record<string, unknown>>;
  return { clock, api, said, failures, make, object };
}

test("makes the KnockNode, owned by the Node, and says what is to be said", async () => {
  const { clock, make, object } = setUp();
  make().start();
  await clock.advanceAsync(10_000, 1000);
  const { metadata, status } = await object();
  expect(metadata?.ownerReferences).toEqual([{ apiVersion: "v1", kind: "Node", name: "node-a", uid: "uid-a" }]);
  expect(status).toMatchObject({ mode: "enforce", grants: 0 });
  expect(conditionsOf(await object())).toMatchObject([{ type: "Ready", status: "True", reason: "Well" }]);
});

test("writes only on change, and at most once in ten seconds however much changes", async () => {
  const { clock, api, said, make } = setUp();
  make().start();
  await clock.advanceAsync(300_000, 1000);
  expect(api.writes).toHaveLength(2); // the object and its status
  for (let grants = 1; grants <= 100; grants++) {
    said.claim = claimOf(true, grants);
    await clock.advanceAsync(1000);
  }
  expect(api.writes.length).toBeLessThanOrEqual(2 + 2 * 11);
  await clock.advanceAsync(300_000, 1000);
  expect(api.writes.length).toBeLessThanOrEqual(2 + 2 * 11);
});

test("the time of a transition stays over a restart, and changes with the status", async () => {
  const { clock, said, make, object } = setUp();
  const first = make();
  first.start();
  await clock.advanceAsync(10_000, 1000);
  const since = conditionsOf(await object())[0]?.lastTransitionTime;
  make().start(); // after the first was killed
  said.claim = claimOf(true, 7);
  await clock.advanceAsync(60_000, 1000);
  expect(conditionsOf(await object())[0]?.lastTransitionTime).toBe(since);
  said.claim = claimOf(false, 7);
  await clock.advanceAsync(60_000, 1000);
  expect(conditionsOf(await object())[0]).toMatchObject({ status: "False", reason: "Ill" });
  expect(conditionsOf(await object())[0]?.lastTransitionTime).not.toBe(since);
});

test("an agent that ends says so", async () => {
  const { clock, make, object } = setUp();
  const node = make();
  node.start();
  await clock.advanceAsync(10_000, 1000);
  await node.close();
  expect(conditionsOf(await object())[0]).toMatchObject({ type: "Ready", status: "False", reason: "Ended" });
});

test("an API that refuses is asked ever more seldom, and told all when it does not any more", async () => {
  const { clock, api, failures, make, object } = setUp();
  api.failure = "forbidden";
  make().start();
  await clock.advanceAsync(1_200_000, 1000);
  expect(failures.length).toBeGreaterThan(4);
  expect(failures.length).toBeLessThan(12);
  api.failure = undefined;
  await clock.advanceAsync(300_000, 1000);
  expect((await object()).status).toMatchObject({ mode: "enforce" });
});

test("without the Node's uid there is no owner, and it gets one when it is known", async () => {
  const { clock, said, make, object } = setUp();
  said.uid = undefined;
  make().start();
  await clock.advanceAsync(10_000, 1000);
  expect((await object()).metadata?.ownerReferences).toBeUndefined();
  said.uid = "uid-a";
  await clock.advanceAsync(20_000, 1000);
  expect((await object()).metadata?.ownerReferences).toHaveLength(1);
});
