import { afterEach, beforeEach, expect, test } from "vitest";
import { ConfigMapSource } from "../../../src/config-source/configmap-source.ts";
import type { KubeObject } from "../../../src/kubernetes/resource.ts";
import { FakeApi } from "../../fake/fake-api.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { fakeWatches, WatchedSource } from "../../fake/watched-source.ts";

let clock: FakeClock;
let api: FakeApi;
let watched: WatchedSource;

beforeEach(() => {
  clock = new FakeClock();
  api = new FakeApi();
  const configMap = { namespace: "bastion", name: "gate" };
  watched = new WatchedSource(new ConfigMapSource({ watches: fakeWatches(api, clock), clock, configMap }), clock);
});

afterEach(async () => {
  await watched.source.close();
  expect(clock.pendingTimers).toBe(0);
  expect(api.openWatches).toBe(0);
});

function configMap(data: Record<string, string>): KubeObject {
  return { metadata: { namespace: "bastion", name: "gate", uid: "1" }, ...{ data } };
}

test("the keys are texts, by name, as the files of a folder are", async () => {
  api.put("configmaps", configMap({ "b.yaml": "two", "a.yml": "one", "README.md": "no", ".hidden.yaml": "no" }));
  await watched.start();
  expect(await watched.last()).toEqual({
    documents: [
      { origin: "ConfigMap bastion/gate a.yml", format: "yaml", text: "one", isFromApi: true },
      { origin: "ConfigMap bastion/gate b.yaml", format: "yaml", text: "two", isFromApi: true },
    ],
    failures: [],
  });
  expect(api.lists).toEqual(["configmaps bastion metadata.name=gate"]);
});

test("a change is delivered; that it is missing, empty or forbidden is a failure", async () => {
  await watched.start();
  expect((await watched.last()).failures).toEqual([
    "ConfigMap bastion/gate does not exist: make it, or name another one.",
  ]);
  api.put("configmaps", configMap({ policies: "x" }));
  expect((await watched.last()).failures).toEqual([
    "ConfigMap bastion/gate has no key that ends with .yaml, .yml or .json: add the policies.",
  ]);
  api.put("configmaps", configMap({ "a.yaml": "one" }));
  expect(await watched.last()).toMatchObject({ documents: [{ text: "one" }], failures: [] });
  api.remove("configmaps", configMap({}));
  expect((await watched.last()).failures).toHaveLength(1);
  api.fail("configmaps", "forbidden");
  await watched.source.reread();
  expect((await watched.last()).failures).toEqual([
    "ConfigMap bastion/gate cannot be read: the Kubernetes API does not allow it.",
  ]);
});
