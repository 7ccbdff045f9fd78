/**
 * The only door to `@kubernetes/client-node`, and what it is used for: reading kubeconfigs (with their plug-ins and
 * proxies) and the files of a service account. Requests are ours, over Node's own https: the library's watch ends silently in
 * several ways, and its generated calls hide the answers' headers. Loading it takes a third of a second and 80 MB, so
 * this file is only imported when somebody needs the API.
 */
import { existsSync, readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { Clock } from "../clock.ts";
import { ApiError } from "./api-error.ts";

/** How the API is reached, good for one request. */
export interface ApiAccess {
  /** `https://10.0.0.1:443`, perhaps with a path. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: HttpAgent;
}

/** Where access comes from. */
export interface Credentials {
  /** Rejects with `no-credentials` and one sentence where there are none. */
  access(): Promise<ApiAccess>;
  /** The last access was not accepted: whatever was remembered is read again. */
  renew(): void;
  /** Ends every connection; idempotent. */
  close(): void;
}

/** A projected token is renewed at 80 % of its life, which is ten minutes at least; client-go rereads every minute too. */
const rememberedMicros = 60e6;
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/**
 * Credentials from the file given, else `KUBECONFIG`, else the service account of the pod, else `~/.kube/config`. Everything is
 * read again each minute and after `renew`, so that a renewed token, a rotated certificate and a kubeconfig that was
 * changed are taken up.
 */
export class KubeCredentials implements Credentials {
  private readonly clock: Clock;
  private readonly kubeconfig: string | undefined;
  private remembered: { readonly access: ApiAccess; readonly atMicros: number } | undefined;
  private agent: { readonly agent: HttpAgent; readonly identity: string } | undefined;

  constructor(clock: Clock, kubeconfig: string | undefined) {
    this.clock = clock;
    this.kubeconfig = kubeconfig;
  }

  async access(): Promise<ApiAccess> {
    const now = this.clock.nowMicros();
    if (this.remembered !== undefined && now - this.remembered.atMicros < rememberedMicros)
      return this.remembered.access;
    const access = await this.read();
    this.remembered = { access, atMicros: now };
    return access;
  }

  renew(): void {
    this.remembered = undefined;
  }

  close(): void {
    this.remembered = undefined;
    this.agent?.agent.destroy();
    this.agent = undefined;
  }

  private async read(): Promise<ApiAccess> {
    try {
      const config = loadKubeConfig(this.kubeconfig);
      const cluster = config.getCurrentCluster();
      if (cluster === null) throw new Error("the kubeconfig has no current context");
      const options: RequestOptions = { headers: {} };
      await config.applyToHTTPSOptions(options);
      return { server: cluster.server, headers: headersOf(options), agent: this.agentFor(cluster, options) };
    } catch (error) {
      throw new ApiError("no-credentials", error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  /** The same connections go on while the certificates are the same. */
  private agentFor(
    cluster: { readonly server: string; readonly proxyUrl?: string },
    options: RequestOptions,
  ): HttpAgent {
    const { ca, cert, key, passphrase, servername, rejectUnauthorized } = options;
    const tls = withoutGaps({ ca, cert, key, passphrase, servername, rejectUnauthorized });
    const identity = JSON.stringify([cluster.server, cluster.proxyUrl, tls]);
    if (this.agent?.identity === identity) return this.agent.agent;
    this.agent?.agent.destroy();
    const agent = cluster.proxyUrl === undefined ? directAgent(cluster.server, tls) : (options.agent as HttpAgent);
    this.agent = { agent, identity };
    return agent;
  }
}

function directAgent(server: string, tls: object): HttpAgent {
  return server.startsWith("http:") ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ...tls });
}

function loadKubeConfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (path !== undefined) config.loadFromFile(path);
  else if (isInPod() && process.env.KUBECONFIG === undefined) config.loadFromCluster();
  else config.loadFromDefault();
  if (path === undefined && config.getCurrentCluster()?.server === nowhere)
    throw new Error("no kubeconfig and no service account were found: pass --kubeconfig, or give the pod a token");
  return config;
}

/** What the library falls back to when it finds nothing. */
const nowhere = "http://localhost:8080";

function isInPod(): boolean {
  return process.env.KUBERNETES_SERVICE_HOST !== undefined && existsSync(tokenPath);
}

function headersOf(options: RequestOptions): Record<string, string> {
  const named = Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value).trim()]);
  const headers: Record<string, string> = Object.fromEntries(named);
  if (typeof options.auth === "string") headers.Authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  return headers;
}

function withoutGaps(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/**
 * The namespace that is the agent's own: `POD_NAMESPACE`, else that of the pod's service account, else that of the kubeconfig's
 * context, else `default`. Undefined where there are no credentials that could tell.
 */
export function ownNamespace(kubeconfig: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const given = env.POD_NAMESPACE?.trim();
  if (given !== undefined && given !== "") return given;
  try {
    if (kubeconfig === undefined && isInPod())
      return readFileSync(tokenPath.replace(/token$/, "namespace"), "utf8").trim();
    const config = loadKubeConfig(kubeconfig);
    return config.getContextObject(config.currentContext)?.namespace ?? "default";
  } catch {
    return undefined; // what is wrong with them is said by whoever uses them
  }
}
