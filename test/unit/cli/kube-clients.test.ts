import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubeScope } from "../../../src/cli/command-io.ts";
import { kubeGrantsCommand } from "../../../src/cli/kube-grants.ts";
import { kubeRevokeCommand } from "../../../src/cli/kube-revoke.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import { kubeconfigFor } from "../../fake/kubeconfig-file.ts";
import { MemoryIo } from "../../fake/memory-io.ts";
import { kubeObject, ScriptedApi } from "../../fake/scripted-api.ts";

const born = "2026-01-02T03:04:05Z";
const source = parseAddress("203.0.113.7") ?? new Uint32Array();
let api: ScriptedApi;
let scope: KubeScope;
let io: MemoryIo;

beforeEach(async () => {
  api = await ScriptedApi.start();
  const kubeconfig = await kubeconfigFor(api.credentials, "bastion");
  scope = { kubeconfig, context: undefined, namespace: undefined, allNamespaces: false };
  io = new MemoryIo();
});
afterEach(() => api.stop());

function grant(name: string, more: object = {}) {
  const { metadata } = kubeObject(name, "1");
  const spec = { sequenceRef: { name: "ssh" }, source: "203.0.113.7", for: "30s", ...more };
  return { metadata: { ...metadata, creationTimestamp: born }, spec };
}

describe("grants --kube", () => {
  test("lists KnockGrants of the context's namespace and the doors of each node, by the server's clock", async () => {
    const done = kubeGrantsCommand({ output: "table", scope }, io);
    const grants = await api.expect("list");
    expect(grants.url.pathname).toBe("/apis/knockgate.io/v1alpha1/namespaces/bastion/knockgrants");
    const date = { Date: "Fri, 02 Jan 2026 03:04:15 GMT" };
    grants.answer(200, { metadata: { resourceVersion: "1" }, items: [grant("g")] }, date);
    (await api.expect("list")).items(
      [{ metadata: { name: "one" }, status: { grants: 4, mode: "enforce" } } as never],
      "1",
    );
    expect(await done).toBe(0);
    expect(io.out.split("\n").slice(0, 5)).toEqual([
      "SOURCE       PORTS  SEQUENCE     NODES  LEFT  GRANT",
      "203.0.113.7  all    bastion/ssh  all    21s   bastion/g",
      "",
      "NODE  READY    MODE     DOORS",
      "one   Unknown  enforce  4",
    ]);
    expect(io.out).toContain("Doors of scope Node are no\nKnockGrants");
  });

  test("shows what may be read where nodes may not", async () => {
    const done = kubeGrantsCommand({ output: "json", scope: { ...scope, allNamespaces: true } }, io);
    const grants = await api.expect("list");
    expect(grants.url.pathname).toBe("/apis/knockgate.io/v1alpha1/knockgrants");
    grants.items([], "1");
    (await api.expect("list")).refuse(403);
    expect(await done).toBe(0);
    expect(JSON.parse(io.out)).toEqual({ grants: [], nodes: [] });
    expect(io.err).toContain("How many doors each node has open is not shown: the Kubernetes API does not allow it");
  });

  test.each([
    { status: 403, says: /^the Kubernetes API does not allow it \(403: refused with 403\)$/ },
    { status: 404, says: /^The Kubernetes API does not know knockgrants\.knockgate\.io: kubectl apply/ },
  ])("a refusal with $status is one sentence", async ({ status, says }) => {
    const done = kubeGrantsCommand({ output: "table", scope }, io);
    (await api.expect("list")).refuse(status);
    await expect(done).rejects.toThrow(says);
  });
});

describe("revoke --kube", () => {
  const revoke = (sequence?: { namespace: string; name: string }) => kubeRevokeCommand({ source, sequence, scope }, io);

  test("deletes what the source has, also where it is not well formed otherwise, and nothing else", async () => {
    const done = revoke();
    const mapped = grant("mapped", { source: "::ffff:203.0.113.7" });
    const odd = grant("odd", { for: "forever" });
    (await api.expect("list")).items([mapped, odd, grant("other", { source: "203.0.113.8" })], "1");
    const deletions = [await api.expect("other"), await api.expect("other")];
    expect(deletions.map(({ method, url }) => `${method} ${url.pathname.split("/").at(-1)}`).sort()).toEqual([
      "DELETE mapped",
      "DELETE odd",
    ]);
    for (const deletion of deletions) {
      const name = deletion.url.pathname.split("/").at(-1);
      expect(JSON.parse(deletion.body).preconditions).toEqual({ uid: `uid-${name}` });
    }
    deletions[0]?.answer(200, {});
    deletions[1]?.refuse(404); // somebody was quicker
    expect(await done).toBe(0);
    expect(io.out).toBe("2 KnockGrants of 203.0.113.7 deleted: every node closes.\n");
    expect(io.err).toContain("scope Node");
  });

  test("keeps to a sequence and its namespace", async () => {
    const done = revoke({ namespace: "elsewhere", name: "web" });
    const list = await api.expect("list");
    expect(list.url.pathname).toContain("/namespaces/elsewhere/");
    list.items([grant("ssh-1"), grant("web-1", { sequenceRef: { name: "web" } })], "1");
    const deletion = await api.expect("other");
    expect(deletion.url.pathname).toMatch(/\/web-1$/);
    deletion.answer(200, {});
    expect(await done).toBe(0);
    expect(io.out).toBe("1 KnockGrant of 203.0.113.7 by elsewhere/web deleted: every node closes.\n");
  });

  test("says where it has looked when there was none", async () => {
    const done = revoke();
    (await api.expect("list")).items([], "1");
    expect(await done).toBe(1);
    expect(io.err).toContain("There is no KnockGrant of 203.0.113.7 in the namespace bastion");
  });

  test("says what stays open where the API refuses", async () => {
    const done = revoke();
    (await api.expect("list")).items([grant("a"), grant("b")], "1");
    (await api.expect("other")).answer(200, {});
    (await api.expect("other")).refuse(403);
    await expect(done).rejects.toThrow(
      /^1 of 2 KnockGrants deleted: the Kubernetes API does not allow it .*stay open\.$/,
    );
  });
});
