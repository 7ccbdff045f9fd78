import { once } from "node:events";
import { createServer, Agent as HttpAgent, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { ApiAccess, Credentials } from "../../src/kubernetes/credentials.ts";

/** One `pods/exec` that the API has been asked for, as a real WebSocket. */
export class ScriptedExec {
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  /** Resolves when the client has gone, or the command has ended. */
  readonly closed: Promise<unknown>;
  private readonly socket: WebSocket;

  constructor(request: IncomingMessage, socket: WebSocket) {
    this.url = new URL(request.url ?? "", "http://api");
    this.headers = request.headers;
    this.socket = socket;
    this.closed = once(socket, "close");
  }

  get pod(): string {
    return this.url.pathname.split("/").at(-2) ?? "";
  }

  /** Standard output is 1, standard error 2. */
  says(text: string, stream = 1): this {
    this.socket.send(Buffer.concat([Buffer.of(stream), Buffer.from(text)]));
    return this;
  }

  /** An event of `knockgate watch -o json`. */
  event(event: object): this {
    return this.says(`${JSON.stringify({ time: "2026-01-02T03:04:05Z", ...event })}\n`);
  }

  /** The command has ended, as a kubelet says it. */
  ends(code: number): void {
    const causes = [{ reason: "ExitCode", message: String(code) }];
    const failure = { status: "Failure", reason: "NonZeroExitCode", message: `exit code ${code}`, details: { causes } };
    this.says(JSON.stringify(code === 0 ? { status: "Success" } : failure), 3);
    this.socket.close();
  }

  /** The connection breaks. */
  breaks(): void {
    this.socket.terminate();
  }
}

/** An API server with agents' pods, in whose containers a test runs everything by hand. */
export class ScriptedPods {
  readonly credentials: Credentials;
  /** What is asked of the API for its pods. */
  readonly asked: string[] = [];
  /** Refused with this status, where it says so. */
  refusal: number | undefined;
  pods: readonly object[] = [];
  private readonly server: Server;
  private readonly sockets = new WebSocketServer({ noServer: true });
  private readonly waiting: ScriptedExec[] = [];
  private readonly takers: ((exec: ScriptedExec) => void)[] = [];

  private constructor(server: Server) {
    this.server = server;
    const { port } = server.address() as AddressInfo;
    const agent = new HttpAgent();
    this.credentials = {
      access: async (): Promise<ApiAccess> => ({ server: `http://127.0.0.1:${port}`, headers: {}, agent }),
      renew: () => undefined,
      close: () => agent.destroy(),
    };
    server.on("request", (request, response) => {
      this.asked.push(request.url ?? "");
      response.end(JSON.stringify({ metadata: { resourceVersion: "1" }, items: this.pods }));
    });
    server.on("upgrade", (request, socket, head) => this.upgrade(request, socket, head));
  }

  static async start(): Promise<ScriptedPods> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedPods(server);
  }

  /** The next command that is run, in the order in which they come. */
  next(): Promise<ScriptedExec> {
    const exec = this.waiting.shift();
    return exec === undefined ? new Promise((resolve) => this.takers.push(resolve)) : Promise.resolve(exec);
  }

  async stop(): Promise<void> {
    for (const client of this.sockets.clients) client.terminate();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.refusal !== undefined) {
      const status = JSON.stringify({ kind: "Status", code: this.refusal, message: "door watchers may not do that" });
      socket.end(`HTTP/1.1 ${this.refusal} No\r\nContent-Length: ${status.length}\r\n\r\n${status}`);
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (opened) => {
      const exec = new ScriptedExec(request, opened);
      const taker = this.takers.shift();
      if (taker === undefined) this.waiting.push(exec);
      else taker(exec);
    });
  }
}
