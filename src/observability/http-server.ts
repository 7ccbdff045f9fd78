import type { AddressInfo } from "node:net";
import { type FastifyInstance, fastify } from "fastify";
import { boundConnections } from "./connection-bound.ts";
import type { Readiness } from "./health.ts";
import type { AgentStatus } from "./status.ts";

/** What the HTTP port shows. */
export interface HttpSubject {
  readiness(): Readiness;
  status(): AgentStatus;
  readonly metrics: { readonly contentType: string; text(): Promise<string>; httpConnectionDropped(): void };
}

/** Where to listen; port 0 takes a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Bounds on what a stranger can hold open: the port may be reachable from outside when an operator says so. There is room
 * for all connections that the kernel hands over at once (Node listens with a backlog of 511), so that a probe among them is
 * read before it is the oldest.
 */
const limits = {
  connections: 1024,
  headerBytes: 8 * 1024,
  headerMs: 5_000,
  checkMs: 1_000,
  requestMs: 10_000,
  idleMs: 5_000,
  pathBytes: 256,
} as const;

/**
 * The HTTP port: health, metrics and status, all by GET, nothing that changes state. `/livez` answers as long as the event
 * loop turns; `/readyz` (also `/healthz`) names every failing stage.
 */
export function createHttpServer(subject: HttpSubject): FastifyInstance {
  const server = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: 1,
    connectionTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    routerOptions: { maxParamLength: limits.pathBytes },
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headerMs,
      connectionsCheckingInterval: limits.checkMs,
    },
    forceCloseConnections: true,
  });
  boundConnections(server.server, limits.connections, () => subject.metrics.httpConnectionDropped());
  server.addHook("onRequest", async (request, reply) => {
    if (request.method !== "GET") await reply.code(405).header("allow", "GET").send({ error: "Only GET is answered." });
  });
  server.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: "There is no such page." }));
  server.get("/livez", async () => ({ live: true }));
  for (const path of ["/readyz", "/healthz"]) {
    server.get(path, async (_request, reply) => {
      const { ready, failures, stages } = subject.readiness();
      return reply.code(ready ? 200 : 503).send({ ready, failures, stages });
    });
  }
  server.get("/metrics", async (_request, reply) =>
    reply.type(subject.metrics.contentType).send(await subject.metrics.text()),
  );
  server.get("/statusz", async () => subject.status());
  return server;
}

/** Starts to listen. Returns the port taken; rejects with a sentence where that is not possible. */
export async function listen(server: FastifyInstance, address: ListenAddress): Promise<number> {
  try {
    await server.listen({ host: address.host, port: address.port });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot listen on ${address.host}:${address.port} (${why}): choose another with --listen.`, {
      cause,
    });
  }
  return (server.server.address() as AddressInfo).port;
}
