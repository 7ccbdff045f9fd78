import { afterEach, beforeEach, expect, test } from "vitest";
import { ApiClient } from "../../../src/kubernetes/api-client.ts";
import { ApiError } from "../../../src/kubernetes/api-error.ts";
import { pathOf } from "../../../src/kubernetes/resource.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { kubeObject, ScriptedApi } from "../../fake/scripted-api.ts";

const grants = { kind: { group: "knockgate.io", version: "v1alpha1", plural: "knockgrants" }, namespace: "bastion" };
const secret = { kind: { group: "", version: "v1", plural: "secrets" }, namespace: "bastion", name: "knocks" };

let clock: FakeClock;
let api: ScriptedApi;
let client: ApiClient;
let never: AbortSignal;

beforeEach(async () => {
  clock = new FakeClock();
  api = await ScriptedApi.start();
  client = new ApiClient({ credentials: api.credentials, clock });
  never = new AbortController().signal;
});

afterEach(async () => {
  client.close();
  expect(clock.pendingTimers).toBe(0);
  await api.stop();
});

test.each([
  { of: secret, path: "/api/v1/namespaces/bastion/secrets/knocks" },
  { of: grants, path: "/apis/knockgate.io/v1alpha1/namespaces/bastion/knockgrants" },
  { of: { kind: { group: "", version: "v1", plural: "nodes" }, name: "a/../b" }, path: "/api/v1/nodes/a%2F..%2Fb" },
  { of: { ...secret, subresource: "status" as const }, path: "/api/v1/namespaces/bastion/secrets/knocks/status" },
])("the path is $path", ({ of, path }) => {
  expect(pathOf(of)).toBe(path);
});

test("an answer carries the server's now", async () => {
  const asked = client.get(secret, never);
  (await api.next()).answer(200, kubeObject("knocks", "1"), { Date: "Tue, 03 Nov 2026 10:00:00 GMT" });
  const { body, serverMicros } = await asked;
  expect(body.metadata.name).toBe("knocks");
  expect(serverMicros).toBe(Date.parse("2026-11-03T10:00:00Z") * 1000);
});

test("a field selector is sent with list and watch", async () => {
  const selection = { ...grants, fieldSelector: "metadata.name=x" };
  const listing = client.list(selection, never);
  const list = await api.expect("list");
  expect(list.get("fieldSelector")).toBe("metadata.name=x");
  list.items([], "5");
  expect((await listing).body).toEqual({ objects: [], resourceVersion: "5" });
  const watching = client.watch(selection, { resourceVersion: "5", timeoutSeconds: 300, idleMs: 60_000 }, never);
  const first = watching.next();
  const watch = await api.expect("watch");
  expect(watch.get("fieldSelector")).toBe("metadata.name=x");
  watch.begin();
  expect((await first).value).toEqual([]);
  await watching.return(undefined);
  await watch.closed;
});

test("an object is created, patched in two ways and deleted, each with its content type", async () => {
  const created = client.create(grants, { spec: 1 }, never);
  const post = await api.next();
  expect([post.method, post.body, post.headers["content-type"]]).toEqual(["POST", '{"spec":1}', "application/json"]);
  post.answer(201, kubeObject("g", "1"));
  expect((await created).body.metadata.resourceVersion).toBe("1");

  const merged = client.patch({ ...grants, name: "g", subresource: "status" }, { kind: "merge", body: {} }, never);
  const merge = await api.next();
  expect([merge.method, merge.url.pathname.endsWith("/g/status")]).toEqual(["PATCH", true]);
  expect(merge.headers["content-type"]).toBe("application/merge-patch+json");
  merge.answer(200, kubeObject("g", "2"));
  await merged;

  const applied = client.patch(
    { ...grants, name: "g" },
    { kind: "apply", body: {}, manager: "me", force: true },
    never,
  );
  const apply = await api.next();
  expect([apply.get("fieldManager"), apply.get("force")]).toEqual(["me", "true"]);
  expect(apply.headers["content-type"]).toBe("application/apply-patch+yaml");
  apply.answer(200, kubeObject("g", "3"));
  await applied;

  const deleted = client.delete({ ...grants, name: "g" }, never, "uid-g");
  const remove = await api.next();
  expect([remove.method, JSON.parse(remove.body).preconditions]).toEqual(["DELETE", { uid: "uid-g" }]);
  remove.answer(200, { kind: "Status" });
  await deleted;
});

test.each([
  { status: 400, code: "refused" },
  { status: 401, code: "unauthorized" },
  { status: 403, code: "forbidden" },
  { status: 404, code: "missing" },
  { status: 409, code: "conflict" },
  { status: 410, code: "expired" },
  { status: 422, code: "refused" },
  { status: 429, code: "throttled" },
  { status: 502, code: "server" },
])("$status means $code", async ({ status, code }) => {
  const asked = client.get(secret, never);
  (await api.next()).refuse(status);
  await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining(`${status}: refused with`) });
  expect(api.credentials.renewals).toBe(status === 401 ? 1 : 0);
});

test("a proxy's page is no reason to fail in another way, and is not shown", async () => {
  const asked = client.get(secret, never);
  (await api.next()).answer(503, "<html>down</html>", { "Retry-After": "9" });
  await expect(asked).rejects.toMatchObject({ code: "server", retryAfterMs: 9000 });
  await expect(asked).rejects.not.toThrow("html");
});

test.each([
  { name: "an answer that breaks off", body: '{"metadata":', code: "malformed" },
  { name: "an answer without a name", body: { metadata: {} }, code: "malformed" },
])("$name is not believed, nor quoted", async ({ body, code }) => {
  const asked = client.get(secret, never);
  (await api.next()).answer(200, body);
  await expect(asked).rejects.toMatchObject({ code });
  await expect(asked).rejects.not.toThrow("metadata");
});

test("an answer is read to a bound", async () => {
  const asked = client.get(secret, never);
  const request = await api.next();
  request.begin().raw("x".repeat((8 << 20) + 1));
  await expect(asked).rejects.toMatchObject({ code: "too-large" });
  await request.closed;
});

test("nobody listening, a connection that ends, and silence are told apart from a stop", async () => {
  const asked = client.get(secret, never);
  (await api.next()).reset();
  await expect(asked).rejects.toMatchObject({ code: "unreachable", message: expect.stringContaining("ECONNRESET") });

  const late = client.get(secret, never);
  await api.next();
  clock.advance(30_000);
  await expect(late).rejects.toMatchObject({ code: "late" });

  const ending = new AbortController();
  const stopped = client.get(secret, ending.signal);
  await api.next();
  ending.abort();
  await expect(stopped).rejects.toMatchObject({ code: "stopped" });
  await expect(client.get(secret, ending.signal)).rejects.toBeInstanceOf(ApiError);
});

test("without credentials the sentence says so", async () => {
  const credentials = {
    access: () => Promise.reject(new ApiError("no-credentials", "pass --kubeconfig")),
    renew: () => {},
    close: () => {},
  };
  const lost = new ApiClient({ credentials, clock });
  await expect(lost.get(secret, never)).rejects.toThrow(
    "there are no credentials for the Kubernetes API (pass --kubeconfig)",
  );
});
