import type { ConnectionEnder } from "../grant/granter.ts";
import { type Address, familyOf, formatAddress } from "../policy/address.ts";
import type { Port } from "../policy/port.ts";
import { type RunProgram, runProgram } from "./program.ts";

/** How many `ss` may run at once; the others wait. */
const mostAtOnce = 4;

/**
 * Ends the connections of a source whose grant has ended, with `ss -K` (ss(8); the kernel needs CONFIG_INET_DIAG_DESTROY,
 * the process NET_ADMIN). UDP and forwarded flows have no socket here; the rules drop what their client sends. What goes
 * wrong is told to `warned`.
 */
export class SocketCutter implements ConnectionEnder {
  readonly #warned: (message: string) => void;
  readonly #run: RunProgram;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(warned: (message: string) => void, run: RunProgram = runProgram) {
    this.#warned = warned;
    this.#run = run;
  }

  async cut(source: Address, port: Port): Promise<void> {
    if (port.protocol !== "tcp") return;
    if (this.#running >= mostAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      const result = await this.#run("ss", cutArguments(source, port), "");
      if (result.status !== 0)
        this.#warned(
          `connections to port ${port.port} could not be cut: ${result.stderr.trim().split("\n", 1)[0] || "ss failed"}`,
        );
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/**
 * What `ss` is called with. The filter is never empty: without one `ss -K` destroys every socket. A peer of IPv4 may be
 * held by a socket of IPv6 under its mapped address, so both are named.
 */
export function cutArguments(source: Address, port: Port): string[] {
  const address = formatAddress(source);
  const peers = familyOf(source) === "ipv4" ? [`dst ${address}`, `dst [::ffff:${address}]`] : [`dst [${address}]`];
  return ["-K", "-H", "-n", "-t", "state", "connected", `( ${peers.join(" or ")} ) and sport = :${port.port}`];
}
