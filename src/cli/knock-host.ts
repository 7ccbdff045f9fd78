import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { KnockError } from "./knock-error.ts";

/** The addresses of a host in the order in which to try them, at least one; throws KnockError where there is none. */
export type ResolveHost = (host: string, family: 4 | 6 | undefined) => Promise<readonly string[]>;

/**
 * Asks getaddrinfo(3), whose order (RFC 6724) knockd's client and ssh go by too: what cannot be reached comes last. Brackets around
 * an IPv6 literal are allowed.
 */
export const resolveHost: ResolveHost = async (host, family) => {
  const name = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  if (name === "") throw new KnockError("The host is empty: name one.");
  const literal = isIP(name);
  if (literal === 0) return lookUp(name, family);
  if (family !== undefined && family !== literal) throw new KnockError(`${name} is not an IPv${family} address.`);
  return [name];
};

async function lookUp(name: string, family: 4 | 6 | undefined): Promise<readonly string[]> {
  try {
    const found = await lookup(name, { family: family ?? 0, all: true, verbatim: true });
    return [...new Set(found.map(({ address }) => address))];
  } catch (error) {
    throw new KnockError(`Failed to resolve hostname '${name}': ${String((error as { code?: unknown }).code)}.`);
  }
}
