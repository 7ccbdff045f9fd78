import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../netns/eventually.ts";
import { ApiRelay } from "./api-relay.ts";
import { kubeconfigText } from "./cluster-access.ts";
import { ControlPlane } from "./control-plane.ts";
import { ReflectedCopy } from "./reflected-copy.ts";

const kind = { group: "", version: "v1", plural: "configmaps" };
const count = 40;

let plane: ControlPlane;
let namespace: string;

beforeAll(async () => {
  plane = await ControlPlane.start();
});
afterAll(() => plane.stop());

/** A namespace with objects in it, which no other test uses. */
async function populate(serviceAccounts: readonly string[] = []): Promise<void> {
  namespace = await plane.cluster.createNamespace(serviceAccounts);
  const items = Array.from({ length: count }, (_, at) => configMap(`m${at}`));
  await apply({ apiVersion: "v1", kind: "List", items });
}

function configMap(name: string, data: Record<string, string> = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
}

async function apply(object: unknown): Promise<void> {
  await plane.cluster.expect(["apply", "--server-side", "-f", "-"], { input: JSON.stringify(object) });
}

/** A copy of them, complete. */
async function reflect(kubeconfig: string): Promise<ReflectedCopy> {
  const copy = new ReflectedCopy(kubeconfig, { kind, namespace });
  onTestFinished(() => copy.stop());
  void copy.reflector.start();
  await copy.until("the first list", ({ size }) => size === count);
  return copy;
}

/** Prints how long it took until the copy was current again. */
async function timed(what: string, done: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await done();
  console.log(`${what}: ${((performance.now() - began) / 1000).toFixed(2)} s until the copy was current again`);
}

test("the API server is killed and started again: nothing is lost, and the next change is seen", async () => {
  await populate();
  const copy = await reflect(plane.cluster.kubeconfig);
  await timed("API server killed and started again", async () => {
    await plane.apiServer.kill();
    await copy.until("the loss", () => copy.causes.includes("reset"));
    expect(copy.names).toHaveLength(count);
    await plane.apiServer.startAgain();
    await copy.until("a current copy", () => copy.reflector.condition.kind === "current");
  });
  await apply(configMap("later"));
  await copy.until("the next change", (objects) => objects.has(`${namespace}/later`));
  expect(Math.min(...copy.sizes)).toBe(count);
});

test("what changed meanwhile was compacted away: a real 410 is answered by a new list", async () => {
  await populate();
  const relay = await ApiRelay.start(plane.cluster.access);
  onTestFinished(() => relay.stop());
  const text = kubeconfigText(relay.through(plane.cluster.access), { token: plane.cluster.access.adminToken });
  const file = plane.cluster.writeKubeconfig({ token: "none" });
  writeFileSync(file, text);
  const copy = await reflect(file);
  relay.cut();
  await copy.until("the loss", () => copy.causes.includes("reset"));
  await apply(configMap("m0", { changed: "meanwhile" }));
  await plane.cluster.expect(["delete", "configmap", "-n", namespace, "m1"]);
  await plane.etcd.compact();
  await plane.apiServer.stop(); // and with it its own memory of what has changed
  await plane.apiServer.startAgain();
  relay.open();
  await timed("410 after a compaction", () =>
    copy.until("the new list", (objects) => objects.size === count - 1 && copy.causes.includes("expired")),
  );
  expect(copy.reflector.objects?.get(`${namespace}/m0`)).toMatchObject({ data: { changed: "meanwhile" } });
  expect(Math.min(...copy.sizes)).toBe(count - 1);
});

test("the token runs out and is renewed: the copy stays, and the new token is taken up", async () => {
  await populate(["agent"]);
  await plane.cluster.expect([
    "create",
    "role",
    "-n",
    namespace,
    "reader",
    "--verb=get,list,watch",
    "--resource=configmaps",
  ]);
  const subject = `--serviceaccount=${namespace}:agent`;
  await plane.cluster.expect(["create", "rolebinding", "-n", namespace, "reader", "--role=reader", subject]);
  const token = await plane.cluster.shortLivedToken(namespace, "agent", 5);
  const file = plane.cluster.writeKubeconfig({ token });
  const copy = await reflect(file);
  await eventually(
    async () => {
      await copy.reflector.relist();
      return copy.causes.includes("unauthorized");
    },
    { what: "the token to run out", timeoutMs: 60_000, everyMs: 200 },
  );
  expect(copy.names).toHaveLength(count);
  const renewed = await plane.cluster.serviceAccountToken(namespace, "agent");
  writeFileSync(file, kubeconfigText(plane.cluster.access, { token: renewed }));
  await timed("token renewed", () => copy.until("a current copy", () => copy.reflector.condition.kind === "current"));
  await apply(configMap("later"));
  await copy.until("the next change", (objects) => objects.has(`${namespace}/later`));
  expect(Math.min(...copy.sizes)).toBe(count);
});

test("a role that is missing is waited for, and one taken away takes nothing from the copy", async () => {
  await populate(["agent"]);
  const token = await plane.cluster.serviceAccountToken(namespace, "agent");
  const copy = new ReflectedCopy(plane.cluster.writeKubeconfig({ token }), {
    kind,
    namespace,
    fieldSelector: "metadata.name=m7",
  });
  onTestFinished(() => copy.stop());
  await copy.reflector.start();
  expect(copy.causes).toEqual(["forbidden"]);
  const names = ["--verb=get,list,watch", "--resource=configmaps", "--resource-name=m7"];
  await plane.cluster.expect(["create", "role", "-n", namespace, "reader", ...names]);
  const subject = `--serviceaccount=${namespace}:agent`;
  await plane.cluster.expect(["create", "rolebinding", "-n", namespace, "reader", "--role=reader", subject]);
  await timed("role granted", () => copy.until("the one object", ({ size }) => size === 1));
  await plane.cluster.expect(["delete", "rolebinding", "-n", namespace, "reader"]);
  await eventually(
    async () => {
      await copy.reflector.relist();
      return copy.causes.filter((cause) => cause === "forbidden").length > 1;
    },
    { what: "the role to be gone", timeoutMs: 30_000, everyMs: 200 },
  );
  expect(copy.names).toEqual(["m7"]);
});

test("a way that fell silent is given up", async () => {
  await populate();
  const relay = await ApiRelay.start(plane.cluster.access);
  onTestFinished(() => relay.stop());
  const file = plane.cluster.writeKubeconfig({ token: "none" });
  writeFileSync(file, kubeconfigText(relay.through(plane.cluster.access), { token: plane.cluster.access.adminToken }));
  const copy = await reflect(file);
  relay.silence();
  const asked = copy.reflector.relist();
  await apply(configMap("later"));
  await asked;
  expect(copy.reflector.condition).toMatchObject({ kind: "failing", error: { code: "late" } });
  expect(copy.names).toHaveLength(count);
  relay.cut();
  relay.open();
  await copy.until("what changed meanwhile", (objects) => objects.has(`${namespace}/later`));
});
