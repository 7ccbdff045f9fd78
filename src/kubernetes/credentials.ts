/**
 * With kubeconfig.ts the only door to `@kubernetes/client-node`, and what it is used for: reading kubeconfigs (with their
 * plug-ins and proxies) and the files of a service account. Requests are ours, over Node's own https: the library's watch ends
 * silently in several ways, and its generated calls hide the answers' headers. Loading it takes a third of a second and 80 MB,
 * so this file is only imported when somebody needs the API.
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import type { Clock } from "../clock.ts";
import { ApiError } from "./api-error.ts";
import { type KubeconfigChoice, loadKubeconfig, namespaceOf, podNamespace } from "./kubeconfig.ts";

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

/**
 * Credentials of a kubeconfig, or of the service account of the pod. Everything is read again each minute and after `renew`,
 * so that a renewed token, a rotated certificate and a kubeconfig that was changed are taken up.
 */
export class KubeCredentials implements Credentials {
  private readonly clock: Clock;
  private readonly choice: KubeconfigChoice;
  private remembered: { readonly access: ApiAccess; readonly atMicros: number } | undefined;
  private agent: { readonly agent: HttpAgent; readonly identity: string } | undefined;

  constructor(clock: Clock, choice: KubeconfigChoice) {
    this.clock = clock;
    this.choice = choice;
  }

  async access(): Promise<ApiAccess> {
    const now = this.clock.nowMicros();
    if (this.remembered !== undefined && now - this.remembered.atMicros < rememberedMicros)
      return this.remembered.access;
    const access = await this.read();
    this.remembered = { access, atMicros: now };
    return access;
  }

  /** Of the context. Rejects as `access` does. */
  async namespace(): Promise<string> {
    try {
      return namespaceOf(loadKubeconfig(this.choice));
    } catch (error) {
      throw noCredentials(error);
    }
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
      const config = loadKubeconfig(this.choice);
      const cluster = config.getCurrentCluster();
      if (cluster === null) throw new Error("the kubeconfig has no current context");
      const options: RequestOptions = { headers: {} };
      await config.applyToHTTPSOptions(options);
      return { server: cluster.server, headers: headersOf(options), agent: this.agentFor(cluster, options) };
    } catch (error) {
      throw noCredentials(error);
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

function noCredentials(error: unknown): ApiError {
  const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split("\n"); // a parser goes on with an extract
  return new ApiError("no-credentials", sentence, { cause: error });
}

function directAgent(server: string, tls: object): HttpAgent {
  return server.startsWith("http:") ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ...tls });
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
    const ofPod = kubeconfig === undefined ? podNamespace() : undefined;
    return ofPod ?? namespaceOf(loadKubeconfig({ path: kubeconfig, reader: "agent" }));
  } catch {
    return undefined; // what is wrong with them is said by whoever uses them
  }
}
