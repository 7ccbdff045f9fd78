import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { createInterface } from "node:readline";
import type { ConfirmAnswer, GrantRow, RevokeRequest } from "./control-api.ts";

/** Why the agent could not be asked. `no-agent`: nothing listens; `denied`: not root; `refused`: it said no. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: "no-agent" | "denied" | "refused";

  constructor(code: ControlError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Talks to the agent's unix socket. Every call rejects with a ControlError. */
export class ControlClient {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What is open now. */
  async grants(): Promise<readonly GrantRow[]> {
    return (await this.json("GET", "/grants")) as GrantRow[];
  }

  /** Closes what a source has open; resolves to the number of ports concerned. */
  async revoke(body: RevokeRequest): Promise<number> {
    return ((await this.json("POST", "/revoke", body)) as { closed: number }).closed;
  }

  /** Keeps enforcing; resolves to what was before. */
  async confirm(): Promise<ConfirmAnswer> {
    return (await this.json("POST", "/confirm")) as ConfirmAnswer;
  }

  /** Events as they happen, until the signal is aborted or the agent ends. */
  async *watch(source: string | undefined, signal: AbortSignal): AsyncGenerator<Readonly<Record<string, unknown>>> {
    const query = source === undefined ? "" : `?source=${encodeURIComponent(source)}`;
    const response = await this.ask("GET", `/watch${query}`, undefined, signal);
    if (response.statusCode !== 200) throw refusal(await text(response));
    try {
      for await (const line of createInterface({ input: response })) yield JSON.parse(line);
    } catch (error) {
      if (!signal.aborted) throw new ControlError("no-agent", "the agent went away", { cause: error });
    }
  }

  private async json(method: string, path: string, body?: object): Promise<unknown> {
    const response = await this.ask(method, path, body);
    const answer = await text(response);
    if (response.statusCode !== 200) throw refusal(answer);
    return JSON.parse(answer);
  }

  private ask(method: string, path: string, body?: object, signal?: AbortSignal): Promise<IncomingMessage> {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const asking = request({ socketPath: this.path, method, path, headers, ...(signal && { signal }) }, resolve);
      asking.on("error", (error: NodeJS.ErrnoException) => reject(this.classify(error)));
      asking.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  private classify(error: NodeJS.ErrnoException): ControlError {
    if (error.code === "EACCES") {
      return new ControlError("denied", `${this.path} may not be opened: run this as root`, { cause: error });
    }
    const sentence = `no agent answers on ${this.path}: start one, or name its socket with --socket`;
    return new ControlError("no-agent", sentence, { cause: error });
  }
}

function refusal(answer: string): ControlError {
  try {
    return new ControlError("refused", String(JSON.parse(answer).message));
  } catch (error) {
    return new ControlError("refused", "the agent answered with an error", { cause: error });
  }
}

async function text(response: IncomingMessage): Promise<string> {
  let answer = "";
  for await (const chunk of response.setEncoding("utf8")) answer += chunk;
  return answer;
}
