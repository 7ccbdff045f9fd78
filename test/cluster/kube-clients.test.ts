import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RunResult, runToEnd } from "../netns/running-process.ts";
import { apply, sequenceManifest } from "./manifests.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const apiVersion = "knockgate.io/v1alpha1";
const program = (name: string) => fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url));
const [alice, bob] = ["203.0.113.7", "2001:db8::7"];
/** Where kubectl finds its plug-in. */
let folder: string;
let namespace: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), `kg-plugin-${process.pid}-`));
  // As npm does, which also makes it executable.
  const text = `#!/bin/sh\nexec "${process.execPath}" "${program("kubectl-knock")}" "$@"\n`;
  writeFileSync(join(folder, "kubectl-knock"), text, { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  namespace = await cluster.createNamespace();
  await apply(cluster, sequenceManifest({ namespace, name: "ssh", steps: ["7312/udp", "9127", "8845/udp"], port: 22 }));
});

/** Runs `knockgate` as somebody at a shell would, by default the administrator in this test's namespace. */
function knockgate(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const KUBECONFIG = cluster.writeKubeconfig({ token: cluster.access.adminToken }, namespace);
  return runToEnd(process.execPath, [program("main"), ...args], { env: { HOME: folder, KUBECONFIG, ...env } });
}

/** Runs `kubectl knock` with the real kubectl. */
function kubectlKnock(...args: readonly string[]): Promise<RunResult> {
  const KUBECONFIG = cluster.writeKubeconfig({ token: cluster.access.adminToken }, namespace);
  const PATH = `${folder}:${process.env.PATH}`;
  const env = { HOME: folder, KUBECONFIG, PATH };
  return runToEnd(join(cluster.access.programs, "kubectl"), ["knock", ...args], { env });
}

function grant(name: string, source: string, more: object = {}) {
  return {
    apiVersion,
    kind: "KnockGrant",
    metadata: { namespace, name },
    spec: { sequenceRef: { name: "ssh" }, source, ...more },
  };
}

/** What an agent says of its node, as `doors` are open there. */
async function knockNode(name: string, doors: number): Promise<void> {
  const object = { apiVersion, kind: "KnockNode", metadata: { name } };
  const args = ["apply", "--server-side", "--field-manager=test", "-f", "-"];
  await cluster.expect(args, { input: JSON.stringify(object) });
  const status = { mode: "enforce", grants: doors, conditions: [] };
  await cluster.expect([...args, "--subresource=status"], { input: JSON.stringify({ ...object, status }) });
}

async function grantNames(): Promise<string> {
  return (await cluster.expect(["get", "kgr", "-n", namespace, "-o", "name"])).replaceAll(/\S+\//g, "").trim();
}

test("grants --kube shows what is open where, in the context's namespace, another one or all", async () => {
  const node = `${namespace}-one`;
  await knockNode(node, 3);
  await apply(cluster, grant("a", alice, { for: "10m" }), grant("b", bob, { node, ports: ["22/tcp"] }));
  const { code, stdout, stderr } = await knockgate(["grants", "--kube"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`${alice} +all +${namespace}/ssh +all +\\d+s +${namespace}/a\n`));
  expect(stdout).toMatch(
    new RegExp(`${bob} +22/tcp +${namespace}/ssh +${node} +as its sequence says +${namespace}/b\n`),
  );
  expect(stdout).toMatch(new RegExp(`${node} +Unknown +enforce +3\n`));
  expect(stdout).toContain("scope Node");
  const there = await knockgate(["grants", "--kube", "-n", namespace, "-o", "json"], {
    KUBECONFIG: cluster.kubeconfig,
  });
  expect(JSON.parse(there.stdout).grants).toHaveLength(2);
  const all = await knockgate(["grants", "--kube", "-A"], { KUBECONFIG: cluster.kubeconfig });
  expect(all.stdout).toContain(`${namespace}/a`);
  const elsewhere = await knockgate(["grants", "--kube"], { KUBECONFIG: cluster.kubeconfig });
  expect(elsewhere.stdout).toContain("There are no KnockGrants in the namespace default.\n");
});

describe("revoke --kube", () => {
  test("deletes the source's KnockGrants, of one sequence or of all, and no others", async () => {
    const web = { sequenceRef: { name: "web" } };
    await apply(cluster, grant("a", alice), grant("b", alice, web), grant("c", bob));
    const one = await knockgate(["revoke", alice, "--sequence", `${namespace}/web`, "--kube"]);
    expect([one.code, one.stdout]).toEqual([
      0,
      `1 KnockGrant of ${alice} by ${namespace}/web deleted: every node closes.\n`,
    ]);
    expect(await grantNames()).toBe("a\nc");
    const rest = await knockgate(["revoke", alice, "--kube", "-A"], { KUBECONFIG: cluster.kubeconfig });
    expect(rest.code).toBe(0);
    expect(await grantNames()).toBe("c");
  });

  test("ends with 1 and where it has looked when there is none", async () => {
    const { code, stderr } = await knockgate(["revoke", alice, "--kube"]);
    expect(code).toBe(1);
    expect(stderr).toContain(`There is no KnockGrant of ${alice} in the namespace ${namespace}.\n`);
  });
});

describe("what is wrong is one sentence", () => {
  test("somebody may not read KnockGrants", async () => {
    const KUBECONFIG = cluster.writeKubeconfig({ token: await token("stranger") }, namespace);
    const { code, stderr } = await knockgate(["grants", "--kube"], { KUBECONFIG });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: the Kubernetes API does not allow it \(403: knockgrants\.knockgate\.io is forbidden: .*\n$/,
    );
  });

  test("somebody may read them but not delete them, nor read nodes", async () => {
    const KUBECONFIG = cluster.writeKubeconfig({ token: await token("reader") }, namespace);
    const role = ["create", "role", "-n", namespace, "reader", "--verb=list", "--resource=knockgrants.knockgate.io"];
    await cluster.expect(role);
    const binding = ["--role=reader", `--serviceaccount=${namespace}:reader`];
    await cluster.expect(["create", "rolebinding", "-n", namespace, "reader", ...binding]);
    await apply(cluster, grant("a", alice));
    const shown = await knockgate(["grants", "--kube"], { KUBECONFIG });
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining(alice)]);
    expect(shown.stderr).toMatch(/^How many doors each node has open is not shown: .*403.*\n$/);
    const { code, stderr } = await knockgate(["revoke", alice, "--kube"], { KUBECONFIG });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: 0 of 1 KnockGrant deleted: the Kubernetes API does not allow it .*\n$/);
  });

  test.each([
    {
      name: "no kubeconfig",
      env: { KUBECONFIG: "" },
      args: [],
      says: /no kubeconfig and no service account were found/,
    },
    { name: "no such context", env: {}, args: ["--context", "x"], says: /the kubeconfig has no context "x"/ },
    { name: "no such file", env: {}, args: ["--kubeconfig", "/nowhere"], says: /ENOENT.*\/nowhere/ },
  ])("$name", async ({ env, args, says }) => {
    const { code, stderr } = await knockgate(["grants", "--kube", ...args], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stderr).toMatch(says);
  });

  async function token(account: string): Promise<string> {
    await cluster.expect(["create", "serviceaccount", "-n", namespace, account]);
    return cluster.serviceAccountToken(namespace, account);
  }
});

describe("kubectl knock", () => {
  test("lists and revokes", async () => {
    await apply(cluster, grant("a", alice));
    expect((await kubectlKnock("grants")).stdout).toContain(`${namespace}/a`);
    expect((await kubectlKnock("grants", "-n", "default")).stdout).toContain("no KnockGrants in the namespace default");
    expect((await kubectlKnock("revoke", alice)).code).toBe(0);
    expect(await kubectlKnock("revoke", alice)).toMatchObject({ code: 1, stdout: "" });
  });

  test("explains itself, and refuses in a sentence what it cannot do", async () => {
    const help = await kubectlKnock("-h");
    expect(help.code).toBe(0);
    expect(help.stdout).toMatch(/^Usage: kubectl knock /);
    expect(help.stdout).toContain("kubectl knock grants -A");
    expect((await kubectlKnock("grants", "-h")).stdout).not.toContain("--socket");
    const { code, stderr } = await kubectlKnock("agent");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: unknown command 'agent'\n/);
  });
});
