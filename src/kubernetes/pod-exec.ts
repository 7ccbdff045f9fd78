/**
 * A command in a container, through the API: `pods/exec` over a WebSocket, as kubectl does it since 1.31 (KEP-4006). Every binary
 * message begins with the number of its stream. The library's own Exec hides why the API has refused, so the socket is ours.
 */
import type { IncomingMessage } from "node:http";
import WebSocket from "ws";
import { LineReader } from "../line-reader.ts";
import { ApiError, errorOfAnswer, errorOfSocket } from "./api-error.ts";
import type { Credentials } from "./credentials.ts";
import { readBody } from "./http-exchange.ts";

/** What runs where. */
export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
}

/** How a command has ended: its exit code, and what it, or whoever should have run it, said of it. */
export interface PodEnding {
  readonly code: number;
  readonly words: string;
}

const protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const [stdout, stderr, status] = [1, 2, 3];
const mostLineBytes = 1 << 20;
const mostWords = 300;
const openMs = 30_000;

/**
 * Runs it and hands its lines over as they come; resolves when it has ended. Rejects with `ApiError`: refused, unreachable, or
 * `stopped` by the signal. Its standard input stays open, with nothing in it, for as long as the connection does: a command
 * that ends with it does not outlive the caller.
 */
export async function execInPod(
  credentials: Pick<Credentials, "access">,
  command: PodCommand,
  line: (text: string) => void,
  signal: AbortSignal,
): Promise<PodEnding> {
  const { server, headers, agent } = await credentials.access();
  if (signal.aborted) throw new ApiError("stopped", "");
  const url = `${server.replace(/^http/, "ws").replace(/\/$/, "")}${pathOf(command)}`;
  const socket = new WebSocket(url, protocols, { headers, agent, handshakeTimeout: openMs });
  const stop = () => socket.terminate();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Conversation(socket, line).ended;
  } catch (error) {
    throw signal.aborted ? new ApiError("stopped", "") : errorOfSocket(error);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function pathOf({ namespace, pod, container, command }: PodCommand): string {
  const query = new URLSearchParams({ container, stdin: "true", stdout: "true", stderr: "true" });
  for (const word of command) query.append("command", word);
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec?${query}`;
}

/** One socket from its opening to its end. */
class Conversation {
  readonly ended: Promise<PodEnding>;
  private readonly lines = new LineReader(mostLineBytes);
  private readonly line: (text: string) => void;
  private words = "";
  private ending: PodEnding | undefined;

  constructor(socket: WebSocket, line: (text: string) => void) {
    this.line = line;
    this.ended = new Promise((resolve, reject) => {
      socket.on("unexpected-response", (_request, answer) => refusalOf(answer).then(reject, reject));
      socket.on("error", reject);
      socket.on("message", (data) => {
        try {
          this.read(data as Buffer);
        } catch (error) {
          reject(error);
          socket.terminate();
        }
      });
      socket.on("close", () => {
        if (this.ending === undefined) reject(new ApiError("unreachable", "the connection to the pod has ended"));
        else resolve(this.ending);
      });
    });
  }

  private read(message: Buffer): void {
    const text = message.subarray(1);
    switch (message[0]) {
      case stdout: {
        const lines = this.lines.read(text);
        if (lines === undefined) throw new ApiError("too-large", `a line of more than ${mostLineBytes >> 20} MiB`);
        for (const one of lines) this.line(one);
        return;
      }
      case stderr:
        this.words = `${this.words}${text}`.slice(0, mostWords);
        return;
      case status:
        this.ending = endingOf(text.toString("utf8"), this.words.trim());
        return;
      default: // the API may have streams that this does not ask for
    }
  }
}

/** `{"status":"Failure","reason":"NonZeroExitCode","message":"...","details":{"causes":[{"reason":"ExitCode","message":"1"}]}}` */
function endingOf(text: string, words: string): PodEnding {
  const {
    status: outcome,
    message,
    details,
  } = JSON.parse(text) as {
    readonly status?: string;
    readonly message?: string;
    readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
  };
  if (outcome === "Success") return { code: 0, words };
  const code = Number(details?.causes?.find(({ reason }) => reason === "ExitCode")?.message ?? 1);
  return { code, words: words === "" ? (message ?? "") : words };
}

async function refusalOf(answer: IncomingMessage): Promise<ApiError> {
  const text = await readBody(answer, mostLineBytes);
  return errorOfAnswer(answer.statusCode ?? 0, bodyOf(text), answer.headers["retry-after"]);
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page; the status says enough
  }
}
