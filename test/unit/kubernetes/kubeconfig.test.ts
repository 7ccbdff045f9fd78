import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadKubeconfig, namespaceOf } from "../../../src/kubernetes/kubeconfig.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kg-kubeconfig-"));
  vi.stubEnv("KUBECONFIG", undefined);
  vi.stubEnv("KUBERNETES_SERVICE_HOST", undefined);
  vi.stubEnv("HOME", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A file with one context, cluster and user of this name. */
function write(file: string, name: string, server: string, more: object = {}): string {
  const path = join(folder, file);
  const config = {
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: { token: server } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    ...more,
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

test("of several files the first counts where two say the same, and one that is not there is passed over", () => {
  const first = write("first", "a", "https://first");
  const second = write("second", "a", "https://second", { "current-context": "b" });
  const third = write("third", "b", "https://third", { "current-context": "a" });
  vi.stubEnv("KUBECONFIG", [join(folder, "nothing"), first, second, third, ""].join(":"));
  const config = loadKubeconfig({ reader: "person" });
  expect(config.currentContext).toBe("b");
  expect(config.getCurrentCluster()?.server).toBe("https://third");
  expect(loadKubeconfig({ reader: "person", context: "a" }).getCurrentCluster()?.server).toBe("https://first");
});

test("a file that was named is the only one that counts", () => {
  vi.stubEnv("KUBECONFIG", write("other", "a", "https://other", { "current-context": "a" }));
  const path = write("own", "a", "https://own", { "current-context": "a" });
  expect(loadKubeconfig({ path, reader: "person" }).getCurrentCluster()?.server).toBe("https://own");
});

test("without KUBECONFIG it is ~/.kube/config", () => {
  vi.stubEnv("HOME", join(folder, "home"));
  expect(() => loadKubeconfig({ reader: "person" })).toThrow("no kubeconfig and no service account were found");
});

test.each([
  { name: "a context that is not there", choice: { context: "x" }, says: 'the kubeconfig has no context "x"' },
  { name: "no current context", choice: {}, says: "the kubeconfig has no current context" },
])("$name is said in a sentence", ({ choice, says }) => {
  vi.stubEnv("KUBECONFIG", write("own", "a", "https://own"));
  expect(() => loadKubeconfig({ reader: "person", ...choice })).toThrow(says);
});

test("the namespace is the context's, else default", () => {
  const contexts = [{ name: "a", context: { cluster: "a", user: "a", namespace: "bastion" } }];
  const path = write("own", "a", "https://own", { contexts, "current-context": "a" });
  expect(namespaceOf(loadKubeconfig({ path, reader: "person" }))).toBe("bastion");
  write("own", "a", "https://own", { "current-context": "a" });
  expect(namespaceOf(loadKubeconfig({ path, reader: "person" }))).toBe("default");
});
