import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeWatch } from "../../../src/kubernetes/node-watch.ts";
import { FakeApi } from "../../fake/fake-api.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { fakeWatches, settled } from "../../fake/watched-source.ts";

let clock: FakeClock;
let api: FakeApi;
let changes: number;
let node: NodeWatch;

beforeEach(() => {
  clock = new FakeClock();
  api = new FakeApi();
  changes = 0;
  node = new NodeWatch(fakeWatches(api, clock), "n1", () => {
    changes++;
  });
});

afterEach(() => node.close());

function relabel(labels: Record<string, string>, name = "n1"): void {
  api.put("nodes", { metadata: { name, uid: name, labels } });
}

test("the labels are those of this node, and a change of something else is none", async () => {
  relabel({ role: "bastion", zone: "a" });
  relabel({ role: "web" }, "n2");
  await node.start();
  expect(node.labels).toEqual({ role: "bastion", zone: "a" });
  expect(api.lists).toEqual(["nodes metadata.name=n1"]);
  relabel({ zone: "a", role: "bastion" });
  await settled();
  expect(changes).toBe(1);
  relabel({ role: "web" });
  await settled();
  expect([node.labels, changes]).toEqual([{ role: "web" }, 2]);
});

test("they stay when the node goes or may not be read any more, and are unknown before they were read", async () => {
  api.fail("nodes", "forbidden");
  await node.start();
  expect(node.labels).toBeUndefined();
  api.fail("nodes", undefined);
  relabel({ role: "bastion" });
  clock.advance(15_000);
  await settled();
  expect(node.labels).toEqual({ role: "bastion" });
  api.remove("nodes", { metadata: { name: "n1" } });
  await settled();
  expect(node.labels).toEqual({ role: "bastion" });
});

test("a start does not wait for an API that does not answer", async () => {
  api.list = (_, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject));
  const started = node.start();
  await settled();
  clock.advance(5000);
  await started;
  expect(node.labels).toBeUndefined();
});
