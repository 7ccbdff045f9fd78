import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Credentials } from "../../src/kubernetes/credentials.ts";

/**
 * Writes a kubeconfig with one context for a scripted API, in a folder that goes with the test; resolves to its path. The
 * client library takes plain HTTP only from who forgoes TLS.
 */
export async function kubeconfigFor(credentials: Credentials, namespace: string): Promise<string> {
  const { server } = await credentials.access();
  const folder = mkdtempSync(join(tmpdir(), "kg-kubeconfig-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "config");
  const config = {
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace } }],
    "current-context": "x",
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}
