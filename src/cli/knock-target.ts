import { readFile } from "node:fs/promises";
import type { Protocol } from "../policy/port.ts";
import { KnockError } from "./knock-error.ts";

/** One thing to hit, as it was typed. */
export interface KnockTarget {
  /** The port as typed, for `-v`. */
  readonly portText: string;
  readonly protocol: Protocol;
}

/**
 * Reads `7000`, `7000:udp` (as knockd's client: only exactly `udp` after the first colon is UDP) and `7000/udp` (as policies are
 * written: anything but tcp and udp is an error).
 */
export function parseTarget(text: string, alwaysUdp: boolean): KnockTarget {
  const slashed = /^([^/:]*)\/(.*)$/.exec(text);
  if (slashed !== null) {
    const protocol = slashed[2];
    if (protocol !== "tcp" && protocol !== "udp")
      throw new KnockError(`"${text}" is no port: write 7000/tcp or 7000/udp.`);
    return { portText: slashed[1] ?? "", protocol: alwaysUdp ? "udp" : protocol };
  }
  const [portText = "", protocol] = text.split(/:(.*)/s);
  return { portText, protocol: alwaysUdp || protocol === "udp" ? "udp" : "tcp" };
}

/**
 * The number of a port as getaddrinfo(3) reads it for knockd's client: a number, of which 16 bits count (99999 is 34463), else a
 * name from /etc/services. Throws KnockError where the name is not known.
 */
export async function portNumber(target: KnockTarget): Promise<number> {
  if (/^\s*[+-]?\d{0,20}$/.test(target.portText)) {
    const number = target.portText.trim();
    return Number(BigInt.asUintN(16, /\d/.test(number) ? BigInt(number.replace("+", "")) : 0n));
  }
  const services = await readFile("/etc/services", "utf8").catch(() => "");
  const port = serviceNumber(services, target);
  if (port === undefined)
    throw new KnockError(`'${target.portText}' is neither a port nor a service of /etc/services: write its number.`);
  return port;
}

/** Finds a name or alias in the text of services(5): `ssh  22/tcp  # remark`. */
export function serviceNumber(services: string, { portText, protocol }: KnockTarget): number | undefined {
  for (const line of services.split("\n")) {
    const [name, port = "", ...aliases] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    const [number, of] = port.split("/");
    if (of === protocol && [name, ...aliases].includes(portText)) return Number(number);
  }
  return undefined;
}
