import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { ClusterAccess } from "./cluster-access.ts";

/**
 * A way to the API server that a test can cut. It listens on a free port of the API server's own address, whose certificate
 * then holds, or on a unix socket, which is the same in every network namespace.
 */
export class ApiRelay {
  private readonly server: Server;
  private readonly target: URL;
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private state: "open" | "cut" | "silent" = "open";

  private constructor(server: Server, target: URL) {
    this.server = server;
    this.target = target;
    server.on("connection", (socket) => this.join(socket));
  }

  /** Listens on the path of a unix socket, or on a free port. */
  static async start(access: ClusterAccess, path?: string): Promise<ApiRelay> {
    const target = new URL(access.server);
    const server = createServer();
    server.listen(path === undefined ? { host: target.hostname, port: 0 } : { path });
    await once(server, "listening");
    return new ApiRelay(server, target);
  }

  /** The same way in, through the relay. */
  through(access: ClusterAccess): ClusterAccess {
    const address = this.server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    return { ...access, server: `https://${this.target.hostname}:${port}` };
  }

  /** How many connections go through it. */
  get connections(): number {
    return this.pairs.size;
  }

  /** Every connection is reset, and no new one is taken. */
  cut(): void {
    this.state = "cut";
    for (const pair of this.pairs) for (const socket of pair) reset(socket);
  }

  /** Connections stay, and nothing comes through any more. */
  silence(): void {
    this.state = "silent";
    for (const pair of this.pairs) for (const socket of pair) socket.pause();
  }

  /** As at the start. */
  open(): void {
    this.state = "open";
    for (const pair of this.pairs) for (const socket of pair) socket.resume();
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, "close");
  }

  private join(near: Socket): void {
    if (this.state === "cut") return reset(near);
    const far = connect({ host: this.target.hostname, port: Number(this.target.port) });
    const pair = [near, far] as const;
    this.pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.pairs.delete(pair);
      });
    }
    if (this.state === "silent") for (const socket of pair) socket.pause();
  }
}

/** A unix socket knows no reset. */
function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
