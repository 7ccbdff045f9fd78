import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { Protocol } from "../policy/port.ts";

/** One thing to hit, as it was typed. */
export interface KnockTarget {
  /** The port as typed, for `-v`. */
  readonly portText: string;
  readonly protocol: Protocol;
}

/** What stopped a knock; one sentence. */
export class KnockError extends Error {
  override readonly name = "KnockError";
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
 * name from /etc/services. Undefined where the name is not known.
 */
export async function portNumber(target: KnockTarget): Promise<number | undefined> {
  if (/^\s*[+-]?\d{0,20}$/.test(target.portText)) {
    const number = target.portText.trim();
    return Number(BigInt.asUintN(16, /\d/.test(number) ? BigInt(number.replace("+", "")) : 0n));
  }
  const services = await readFile("/etc/services", "utf8").catch(() => "");
  return serviceNumber(services, target);
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

/** The first address of a host, in the family asked for. Brackets around an IPv6 literal are allowed. */
export async function resolveHost(host: string, family: 4 | 6 | undefined): Promise<string> {
  const name = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  const literal = isIP(name);
  if (literal !== 0) {
    if (family !== undefined && family !== literal) throw new KnockError(`${name} is not an IPv${family} address.`);
    return name;
  }
  return (await lookup(name, { family: family ?? 0 })).address;
}
