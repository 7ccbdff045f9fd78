import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import type { AskProgram } from "./inquiry.ts";

/** Whether a connection of our own could be ended: `ended`, or why not. */
export type SocketTrial = "ended" | "still open" | { readonly failed: string };

const waitMs = 500;

/** Opens a connection to itself on loopback and ends it with `ss -K`, as the agent does behind a closed door. */
export async function trySocketEnd(ask: AskProgram, clock: Clock): Promise<SocketTrial> {
  const server = createServer((socket) => socket.on("error", () => undefined));
  server.listen(0, "127.0.0.1");
  let client: Socket | undefined;
  try {
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    client = connect(port, "127.0.0.1");
    await once(client, "connect", { signal: AbortSignal.timeout(waitMs) });
    client.on("error", () => undefined);
    const closed = new Promise<true>((resolve) => void client?.once("close", () => resolve(true)));
    const own = `dst 127.0.0.1 and dport = :${port} and sport = :${client.localPort}`;
    const answer = await ask("ss", ["-K", "-H", "-n", "-t", "state", "connected", own]);
    const late = new Promise<false>((resolve) => void clock.after(waitMs, () => resolve(false)));
    const ended = await Promise.race([closed, late]);
    if (ended) return "ended";
    return answer.status === 0 ? "still open" : { failed: answer.complaint };
  } catch (error) {
    return { failed: `a connection on loopback could not be opened to try it (${(error as Error).message})` };
  } finally {
    client?.on("error", () => undefined).destroy();
    server.close();
  }
}

/** What that means for `established: Cut`; `cuts`: whether a policy asks for it. Pure. */
export function judgeSocketEnd(trial: SocketTrial, cuts: boolean): Finding {
  if (trial === "ended") return ok("ss -K", "ends connections: `established: Cut` works for local sockets");
  const why = trial === "still open" ? "the kernel does not end sockets (CONFIG_INET_DIAG_DESTROY)" : trial.failed;
  const mend = "install iproute2, give NET_ADMIN, or use a kernel with CONFIG_INET_DIAG_DESTROY";
  return (cuts ? problem : warning)(
    "ss -K",
    `cannot end a connection: ${why}; with \`established: Cut\` local programs keep theirs`,
    mend,
  );
}
