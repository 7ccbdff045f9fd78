// What the chart's scripts share: the API as a pod reaches it, in Node alone. The chart puts it before each of them, without `export`.
import { readFileSync } from "node:fs";
import { request as requestPlain } from "node:http";
import { request } from "node:https";

const account = process.env.ACCOUNT_FOLDER ?? "/var/run/secrets/kubernetes.io/serviceaccount";

/** Resolves to status and body of an answer; rejects when there is none within 5 s. */
function exchange(send, url, options) {
  return new Promise((resolve, reject) => {
    const asked = send(url, { ...options, agent: false, timeout: 5_000 }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode, text })).on("error", reject);
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer within 5 s"))).on("error", reject);
    asked.end();
  });
}

/** Asks the API; answers of 400 and more are thrown, but for those named. */
export async function ask(path, { method = "GET", allowed = [] } = {}) {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const headers = { authorization: `Bearer ${readFileSync(`${account}/token`, "utf8").trim()}` };
  const options = { method, headers, ca: readFileSync(`${account}/ca.crt`) };
  const { status, text } = await exchange(request, new URL(path, server), options);
  if (status >= 400 && !allowed.includes(status)) throw new Error(`${method} ${path}: ${status} ${text.trim()}`);
  return JSON.parse(text);
}

/** Asks an agent. */
export function askAgent(host, port, path) {
  return exchange(requestPlain, `http://${host.includes(":") ? `[${host}]` : host}:${port}${path}`, { method: "GET" });
}

/** Pods of the namespace that a selector selects. */
export async function listPods(namespace, selector) {
  return (await ask(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`)).items;
}

export function isReady(pod) {
  return pod.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

const timeoutMs = Number(process.env.TIMEOUT_SECONDS) * 1000;
const startedMs = performance.now();

/** Looks once a second until there is an answer; undefined when the time is over. A look that fails is one without an answer. */
export async function lookUntil(look) {
  for (;;) {
    const failure = {};
    const found = await look().catch((error) => {
      failure.error = error;
    });
    if (found !== undefined) return found;
    if (performance.now() - startedMs >= timeoutMs) {
      if (failure.error !== undefined) throw failure.error;
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}
