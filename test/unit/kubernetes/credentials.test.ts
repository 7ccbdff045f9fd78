import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KubeCredentials, ownNamespace } from "../../../src/kubernetes/credentials.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

let folder: string;
let clock: FakeClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kg-credentials-"));
  clock = new FakeClock();
  vi.stubEnv("KUBECONFIG", undefined);
  vi.stubEnv("KUBERNETES_SERVICE_HOST", undefined);
  vi.stubEnv("HOME", folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Writes a kubeconfig and resolves to its path. */
function kubeconfig(token: string, cluster: object = { server: "https://127.0.0.1:6443" }): string {
  const path = join(folder, "config");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user: { token } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "bastion" } }],
    "current-context": "x",
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

test("a changed kubeconfig is taken up after a minute, at once after a renewal, over the same connections", async () => {
  const path = kubeconfig("one\n");
  const credentials = new KubeCredentials(clock, { path, reader: "agent" });
  const first = await credentials.access();
  expect(first.server).toBe("https://127.0.0.1:6443");
  expect(first.headers).toEqual({ Authorization: "Bearer one" }); // a line's end is no part of a token
  kubeconfig("two");
  clock.advance(59_000);
  expect(await credentials.access()).toBe(first);
  clock.advance(1000);
  const second = await credentials.access();
  expect(second.headers).toEqual({ Authorization: "Bearer two" });
  expect(second.agent).toBe(first.agent);
  kubeconfig("three");
  credentials.renew();
  expect((await credentials.access()).headers).toEqual({ Authorization: "Bearer three" });
  credentials.close();
});

test("another certificate authority means other connections", async () => {
  const ca = (name: string) => Buffer.from(name).toString("base64");
  const path = kubeconfig("t", { server: "https://127.0.0.1:6443", "certificate-authority-data": ca("one") });
  const credentials = new KubeCredentials(clock, { path, reader: "agent" });
  const { agent } = await credentials.access();
  kubeconfig("t", { server: "https://127.0.0.1:6443", "certificate-authority-data": ca("two") });
  credentials.renew();
  expect((await credentials.access()).agent).not.toBe(agent);
});

test.each([
  { name: "a kubeconfig that is not there", path: "/nowhere/config", says: "ENOENT" },
  { name: "neither a kubeconfig nor a service account", path: undefined, says: "pass --kubeconfig" },
])("$name is said in a sentence, and looked for again", async ({ path, says }) => {
  const credentials = new KubeCredentials(clock, { path, reader: "agent" });
  await expect(credentials.access()).rejects.toMatchObject({
    code: "no-credentials",
    message: expect.stringContaining(says),
  });
});

test("KUBECONFIG is found as kubectl finds it", async () => {
  vi.stubEnv("KUBECONFIG", kubeconfig("mine"));
  const credentials = new KubeCredentials(clock, { reader: "agent" });
  expect((await credentials.access()).headers).toEqual({ Authorization: "Bearer mine" });
});

test("the own namespace is the pod's, else the context's", () => {
  const path = kubeconfig("t");
  expect(ownNamespace(path, { POD_NAMESPACE: "gate" })).toBe("gate");
  expect(ownNamespace(path, {})).toBe("bastion");
  expect(ownNamespace("/nowhere/config", {})).toBeUndefined();
});
