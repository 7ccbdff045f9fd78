import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { parseAddress } from "../policy/address.ts";
import type { ControlTarget, RevokeRequest } from "./control-api.ts";

/** Bytes that may wait for a slow watcher; lines beyond are left out and counted. */
const maxWaitingBytes = 1024 * 1024;

/**
 * The agent's unix socket: the only way, beside the kernel's set, to change state on this host. Mode 0600, so that only
 * root reaches it; HTTP, so that `curl --unix-socket` does.
 */
export class ControlServer {
  private readonly path: string;
  private readonly server: FastifyInstance;

  constructor(path: string, target: ControlTarget) {
    this.path = path;
    this.server = Fastify({ bodyLimit: 4096, forceCloseConnections: true });
    this.server.get("/grants", () => target.grants());
    this.server.post<{ Body: RevokeRequest }>("/revoke", { schema: { body: revokeSchema } }, async (request, reply) => {
      const source = parseAddress(request.body.source);
      if (source === undefined) return reply.code(400).send({ message: "source is not an IP address" });
      return { closed: await target.revoke(source, request.body.sequence) };
    });
    this.server.post("/confirm", () => target.confirm());
    this.server.get<{ Querystring: { source?: string } }>("/watch", (request, reply) =>
      this.watch(target, request.query.source, reply),
    );
  }

  /** Listens; takes the place of a socket that nobody serves any more. Rejects when another agent serves it. */
  async start(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    if (await isServed(this.path)) {
      throw new Error(`another agent serves ${this.path}: end it, or give this one another --socket`);
    }
    const umask = process.umask(0o177);
    try {
      await this.server.listen({ path: this.path });
    } finally {
      process.umask(umask);
    }
    await chmod(this.path, 0o600);
  }

  /** Idempotent; ends every watcher. */
  async close(): Promise<void> {
    await this.server.close();
  }

  private watch(target: ControlTarget, sourceText: string | undefined, reply: FastifyReply): FastifyReply {
    const source = sourceText === undefined ? undefined : parseAddress(sourceText);
    if (sourceText !== undefined && source === undefined) {
      return reply.code(400).send({ message: "source is not an IP address" });
    }
    const { raw } = reply;
    let leftOut = 0;
    const watching = target.watch(source, (event) => {
      if (raw.writableLength > maxWaitingBytes) leftOut++;
      else if (leftOut === 0) raw.write(`${JSON.stringify(event)}\n`);
      else {
        raw.write(`${JSON.stringify({ kind: "dropped", count: leftOut })}\n${JSON.stringify(event)}\n`);
        leftOut = 0;
      }
    });
    if (watching === undefined) return reply.code(503).send({ message: "too many are watching: end one of them" });
    reply.hijack();
    raw.on("close", watching.stop);
    raw.writeHead(200, { "content-type": "application/x-ndjson" });
    raw.write(`${JSON.stringify(watching.first)}\n`);
    return reply;
  }
}

const revokeSchema = {
  type: "object",
  additionalProperties: false,
  required: ["source"],
  properties: { source: { type: "string", maxLength: 64 }, sequence: { type: "string", maxLength: 512 } },
} as const;

/** Whether somebody answers on the socket; a file left behind by a killed agent is removed. */
async function isServed(path: string): Promise<boolean> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(undefined);
    }).on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  if (code === "ECONNREFUSED") {
    if (!(await lstat(path)).isSocket()) throw new Error(`${path} is a file: name another path with --socket`);
    await unlink(path);
  }
  return code === undefined;
}
