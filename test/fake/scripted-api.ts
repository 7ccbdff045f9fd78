import { once } from "node:events";
import { createServer, Agent as HttpAgent, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ApiAccess, Credentials } from "../../src/kubernetes/credentials.ts";
import type { KubeObject } from "../../src/kubernetes/resource.ts";

/** An object as the API would send it. */
export function kubeObject(name: string, version: string, more: object = {}): KubeObject {
  return { metadata: { namespace: "bastion", name, uid: `uid-${name}`, resourceVersion: version }, ...more };
}

/** One request that has come, to be answered as the test likes. */
export class ScriptedRequest {
  readonly kind: "list" | "watch" | "other";
  readonly url: URL;
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** Resolves when the client has ended the request, or its answer is complete. */
  readonly closed: Promise<unknown>;
  private readonly response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse, body: string) {
    this.url = new URL(request.url ?? "", "http://api");
    this.method = request.method ?? "";
    this.headers = request.headers;
    this.body = body;
    this.response = response;
    const isList = this.url.searchParams.has("limit");
    this.kind = this.url.searchParams.has("watch") ? "watch" : isList ? "list" : "other";
    this.closed = once(response, "close");
  }

  get(parameter: string): string | null {
    return this.url.searchParams.get(parameter);
  }

  /** The whole answer at once. */
  answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { "Content-Type": "application/json", ...headers });
    this.response.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  /** A refusal as the API words it. */
  refuse(code: number, headers: Record<string, string> = {}): void {
    this.answer(code, { kind: "Status", code, message: `refused with ${code}` }, headers);
  }

  /** A page of a list; the last one unless it is to be continued. */
  items(objects: readonly KubeObject[], resourceVersion: string, next = ""): void {
    this.answer(200, { kind: "List", metadata: { resourceVersion, continue: next }, items: objects });
  }

  /** Begins to answer a watch. */
  begin(): this {
    this.response.writeHead(200, { "Content-Type": "application/json" });
    this.response.flushHeaders();
    return this;
  }

  event(type: string, object: unknown): this {
    return this.raw(`${JSON.stringify({ type, object })}\n`);
  }

  bookmark(version: string): this {
    return this.event("BOOKMARK", { metadata: { resourceVersion: version } });
  }

  raw(text: string | Uint8Array): this {
    this.response.write(text);
    return this;
  }

  /** Ends the answer in good order. */
  end(): void {
    this.response.end();
  }

  /** Ends the connection in the middle of whatever it does. */
  reset(): void {
    this.response.socket?.resetAndDestroy();
  }
}

/** An API server on loopback whose every answer a test gives by hand. */
export class ScriptedApi {
  readonly credentials: Credentials & { renewals: number; token: string };
  /** Open connections. */
  readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private readonly agent = new HttpAgent({ keepAlive: true });
  private readonly waiting: ScriptedRequest[] = [];
  private readonly takers: ((request: ScriptedRequest) => void)[] = [];

  private constructor(server: Server) {
    this.server = server;
    const { port } = server.address() as AddressInfo;
    const { agent } = this;
    this.credentials = {
      renewals: 0,
      token: "first",
      async access(): Promise<ApiAccess> {
        return { server: `http://127.0.0.1:${port}`, headers: { Authorization: `Bearer ${this.token}` }, agent };
      },
      renew() {
        this.renewals++;
        this.token = `renewed-${this.renewals}`;
      },
      close: () => agent.destroy(),
    };
    server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    server.on("request", (request, response) => void this.receive(request, response));
  }

  static async start(): Promise<ScriptedApi> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedApi(server);
  }

  /** The next request, in the order in which they come. */
  next(): Promise<ScriptedRequest> {
    const request = this.waiting.shift();
    return request === undefined ? new Promise((resolve) => this.takers.push(resolve)) : Promise.resolve(request);
  }

  /** The next request, which has to be of this kind. */
  async expect(kind: ScriptedRequest["kind"]): Promise<ScriptedRequest> {
    const request = await this.next();
    if (request.kind !== kind) throw new Error(`wanted a ${kind}, got ${request.method} ${request.url}`);
    return request;
  }

  /** Requests that have come and were not taken by the test. */
  get untaken(): number {
    return this.waiting.length;
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += chunk;
    const scripted = new ScriptedRequest(request, response, body);
    const taker = this.takers.shift();
    if (taker === undefined) this.waiting.push(scripted);
    else taker(scripted);
  }
}
