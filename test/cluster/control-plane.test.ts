import { existsSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { ControlPlane } from "./control-plane.ts";
import { sharedCluster } from "./shared-cluster.ts";

/** A control plane of the test's own. */
async function ownPlane(): Promise<ControlPlane> {
  const plane = await ControlPlane.start();
  onTestFinished(() => plane.stop());
  return plane;
}

test("the shared API server answers, as the version that was asked for", async () => {
  const { status, text } = await sharedCluster().ask({ path: "/version" });
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({ major: "1", gitVersion: expect.stringMatching(/^v1\.\d+\.\d+$/) });
});

test("what was written is there after a crash and a restart, and the way in is the same", async () => {
  const { cluster, apiServer } = await ownPlane();
  const namespace = await cluster.createNamespace();
  await apiServer.kill();
  await expect(cluster.ask({ path: "/readyz" })).rejects.toThrow("ECONNREFUSED");
  await apiServer.startAgain();
  expect(await cluster.expect(["get", "namespace", namespace, "-o", "name"])).toBe(`namespace/${namespace}\n`);
});

test("after a compaction a watch from before it is told that it is too old", async () => {
  const { cluster, etcd, apiServer } = await ownPlane();
  const path = "/api/v1/namespaces";
  const { text } = await cluster.ask({ path });
  const { resourceVersion } = JSON.parse(text).metadata;
  await cluster.createNamespace();
  expect(await etcd.compact()).toBeGreaterThan(Number(resourceVersion));
  await apiServer.stop();
  await apiServer.startAgain();
  const watch = await cluster.ask({ path: `${path}?watch=1&timeoutSeconds=5&resourceVersion=${resourceVersion}` });
  expect(watch.text).toMatch(/"(reason|code)":("Expired"|410)/);
});

test("a service account is let in by its tokens, and no longer than they last", async () => {
  const cluster = sharedCluster();
  const namespace = await cluster.createNamespace(["agent"]);
  const whoAmI = async (token: string) =>
    cluster.ask({
      method: "POST",
      path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
      token,
    });
  const { text } = await whoAmI(await cluster.serviceAccountToken(namespace, "agent"));
  const userInfo = { username: `system:serviceaccount:${namespace}:agent` };
  expect(JSON.parse(text).status).toMatchObject({ userInfo });
  const minted = await whoAmI(await cluster.shortLivedToken(namespace, "agent", 60));
  expect(JSON.parse(minted.text).status).toMatchObject({ userInfo });
  expect((await whoAmI(await cluster.shortLivedToken(namespace, "agent", -1))).status).toBe(401);
});

test("somebody played by the administrator may do what is theirs to do", async () => {
  const cluster = sharedCluster();
  const kubeconfig = cluster.writeKubeconfig({ as: "alice", groups: ["on-call"] });
  expect(await cluster.expect(["auth", "whoami"], { kubeconfig })).toMatch(/alice\s[\s\S]*on-call/);
  const refused = await cluster.kubectl(["get", "namespaces"], { kubeconfig });
  expect(refused.stderr).toContain('User "alice" cannot list resource "namespaces"');
});

test("stopping leaves neither a process nor a folder", async () => {
  const plane = await ControlPlane.start({ users: [{ name: "bob", groups: [], token: "b0b" }] });
  const { access } = plane.cluster;
  expect((await plane.cluster.ask({ path: "/version", token: "b0b" })).status).toBe(200);
  await plane.stop();
  expect(existsSync(access.folder)).toBe(false);
  await expect(fetch(`${plane.etcd.url}/version`)).rejects.toThrow();
  await expect(plane.cluster.ask({ path: "/readyz" })).rejects.toThrow("ECONNREFUSED");
});
