import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { ApiError, errorOfSocket } from "./api-error.ts";
import type { ApiAccess } from "./credentials.ts";

/** One request to the API, before it has a connection. */
export interface ExchangeRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
  /** Ends the request and its answer wherever they are; the connection goes with them. */
  readonly signal: AbortSignal;
}

const userAgent = "knockgate";

/**
 * Sends a request and resolves to the answer's head; the body is still to be read, to its end or until the signal is aborted.
 * Rejects with `unreachable`, or `stopped` after the signal.
 */
export function openExchange(access: ApiAccess, request: ExchangeRequest): Promise<IncomingMessage> {
  const { method, path, contentType, body, signal } = request;
  const url = new URL(`${access.server.replace(/\/$/, "")}${path}`);
  const headers = {
    ...access.headers,
    "User-Agent": userAgent,
    Accept: "application/json",
    ...(body === undefined ? {} : { "Content-Type": contentType, "Content-Length": Buffer.byteLength(body) }),
  };
  const send = url.protocol === "http:" ? requestHttp : requestHttps;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new ApiError("stopped", ""));
    const sent = send(url, { method, headers, agent: access.agent, signal });
    const fail = (error: unknown) => reject(signal.aborted ? new ApiError("stopped", "") : errorOfSocket(error));
    sent.on("error", fail); // stays for what comes after the head, which whoever reads the body is told as well
    sent.on("socket", (socket) => socket.setKeepAlive(true, keepAliveMs));
    sent.on("response", resolve);
    sent.end(body);
  });
}

/** A peer that is gone without a word is noticed by the kernel ten probes later, one a second (libuv). */
const keepAliveMs = 15_000;

/** Reads a body to its end; rejects with `too-large` beyond the bound, and `unreachable` where it breaks off. */
export async function readBody(answer: IncomingMessage, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new ApiError("too-large", `more than ${mostBytes >> 20} MiB`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw errorOfSocket(error);
  }
  return Buffer.concat(chunks).toString("utf8");
}
