import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { KubeCredentials } from "../../src/kubernetes/credentials.ts";
import { execInPod } from "../../src/kubernetes/pod-exec.ts";
import { eventually } from "../netns/eventually.ts";
import { apply } from "./manifests.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const example = readFileSync(new URL("../../deploy/watchers.yaml", import.meta.url), "utf8");
/** Where the agents are, and the service accounts whose group watches. */
let namespace: string;
/** Where others are. */
let elsewhere: string;

/** The example, for a namespace and with names of this test's own; an agent's pod that no kubelet runs. */
beforeAll(async () => {
  namespace = await cluster.createNamespace(["watcher", "default"]);
  elsewhere = await cluster.createNamespace(["nobody", "get", "create"]);
  const own = example
    .replaceAll("namespace: knockgate", `namespace: ${namespace}`)
    .replaceAll("metadata.name: knockgate", `metadata.name: ${namespace}`)
    .replaceAll("knockgate-watchers", `watchers-${namespace}`)
    .replace("name: door-watchers", `name: "system:serviceaccounts:${namespace}"`)
    .replace("'door-watchers'", `'system:serviceaccounts:${namespace}'`);
  await cluster.expect(["apply", "-f", "-"], { input: own });
  const metadata = { namespace, name: "agent" };
  const spec = { containers: [{ name: "knockgate", image: "none" }], automountServiceAccountToken: false };
  await apply(cluster, { apiVersion: "v1", kind: "Pod", metadata, spec });
  await eventually(async () => (await attempt(["sh"])).includes("nothing else"), {
    what: "the admission policy to be in force",
    timeoutMs: 30_000,
  });
});

async function kubeconfigOf(account: string, home: string): Promise<string> {
  return cluster.writeKubeconfig({ token: await cluster.serviceAccountToken(home, account) }, namespace);
}

/** What the API says when somebody runs a command in the agent's container; it always refuses, as the pod runs nowhere. */
async function attempt(command: readonly string[], account = "watcher", home = namespace): Promise<string> {
  const path = await kubeconfigOf(account, home);
  const credentials = new KubeCredentials(systemClock, { path, reader: "person" });
  const where = { namespace, pod: "agent", container: "knockgate", command };
  try {
    const { signal } = new AbortController();
    return await execInPod(credentials, where, () => undefined, signal).then(
      () => "it ran",
      (error: Error) => error.message,
    );
  } finally {
    credentials.close();
  }
}

describe("somebody of door-watchers", () => {
  test("gets past the API with knockgate watch, as far as there is a node", async () => {
    expect(await attempt(["knockgate", "watch", "203.0.113.7", "--output", "json"])).toMatch(
      /does not have a host assigned/,
    );
  });

  test.each([
    { command: ["sh"] },
    { command: ["knockgate"] },
    { command: ["knockgate", "revoke", "203.0.113.7"] },
    { command: ["sh", "watch"] },
  ])("may not run $command", async ({ command }) => {
    expect(await attempt(command)).toMatch(
      /^the Kubernetes API .*Door watchers may run knockgate watch in an agent's container, and nothing else\.\)$/,
    );
  });

  test("may list the agents' pods, and nothing else of them", async () => {
    const kubeconfig = await kubeconfigOf("watcher", namespace);
    expect(await cluster.expect(["get", "pods", "-o", "name"], { kubeconfig })).toBe("pod/agent\n");
    expect((await cluster.kubectl(["delete", "pod", "agent"], { kubeconfig })).stderr).toContain("forbidden");
    expect((await cluster.kubectl(["port-forward", "pod/agent", "9780"], { kubeconfig })).stderr).toContain("orbidden");
  });
});

test("without the role nobody gets so far", async () => {
  expect(await attempt(["knockgate", "watch", "203.0.113.7"], "nobody", elsewhere)).toMatch(
    /403: .*cannot get resource "pods\/exec"/,
  );
});

test.each([
  { verb: "get", misses: '403: pods "agent" is forbidden' },
  { verb: "create", misses: 'cannot get resource "pods/exec"' },
])("$verb alone is too little", async ({ verb, misses }) => {
  await cluster.expect(["create", "role", "-n", namespace, verb, `--verb=${verb}`, "--resource=pods/exec"]);
  const subject = `--serviceaccount=${elsewhere}:${verb}`;
  await cluster.expect(["create", "rolebinding", "-n", namespace, verb, `--role=${verb}`, subject]);
  expect(await attempt(["knockgate", "watch"], verb, elsewhere)).toContain(misses);
});
