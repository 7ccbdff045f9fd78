import { readFileSync } from "node:fs";
import { type Address, familyOf, parseAddress } from "../policy/address.ts";
import { type PortKey, portKey } from "../policy/port.ts";
import type { TableListing } from "./nft.ts";
import type { NftElement } from "./objects.ts";
import { familyDigit, type GateSpec } from "./ruleset.ts";

/** One TCP connection of this host, seen from here. */
export interface Connection {
  readonly peer: Address;
  readonly peerPort: number;
  readonly localPort: number;
}

/** Reads the connections that run now. Throws where /proc cannot be read. */
export type ReadConnections = () => readonly Connection[];

/** Of this process's own network namespace: `/proc/net` would be the one of its main thread as well. */
export const readConnections: ReadConnections = () =>
  ["/proc/self/net/tcp", "/proc/self/net/tcp6"].flatMap((path) => parseConnections(readIfThere(path)));

/** There is no tcp6 where IPv6 is disabled. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT of linux/tcp_states.h: at least one side may still send. */
const runningStates: ReadonlySet<string> = new Set(["01", "04", "05", "08"]);

/**
 * Reads /proc/net/tcp and tcp6 (proc_pid_net(5)). Addresses are words in host order, printed as hexadecimal numbers;
 * IPv4 in a socket of IPv6 (`::ffff:`) is IPv4.
 *
 *       sl  local_address rem_address   st tx_queue ...
 *        0: 0100007F:0016 0200000A:C350 01 00000000:00000000 ...
 */
export function parseConnections(text: string): Connection[] {
  const connections: Connection[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /.exec(line);
    if (match === null) continue;
    const [, localPort = "", peer = "", peerPort = "", state = ""] = match;
    if (!runningStates.has(state)) continue;
    connections.push({
      peer: parseWords(peer),
      peerPort: Number.parseInt(peerPort, 16),
      localPort: Number.parseInt(localPort, 16),
    });
  }
  return connections;
}

function parseWords(hex: string): Address {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => Buffer.from(word, "hex").readUInt32LE());
  return words.length === 4 ? Uint32Array.from(words) : Uint32Array.of(0, 0, 0xffff, words[0] ?? 0);
}

/** The element that lets one connection go on: source, source port, port. Never the address alone. */
export function adoptedElement(connection: Connection): NftElement {
  return {
    kind: "element",
    set: `adopted${familyDigit(connection.peer)}`,
    key: [
      { kind: "address", address: connection.peer },
      { kind: "port", port: connection.peerPort },
      { kind: "port", port: connection.localPort },
    ],
  };
}

/** Which ports a table closes to strangers. */
export interface ClosedPorts {
  has(key: PortKey): boolean;
}

/** What a spec closes. In observe mode too: whoever was connected then goes on when it is enforced. */
export function closedBySpec(spec: GateSpec): ClosedPorts {
  const guarded = new Set(spec.guarded.map(portKey));
  const served = new Set(spec.served.map(portKey));
  return { has: (key) => guarded.has(key) || (spec.defaultDrop && !served.has(key)) };
}

/** What a listed table closes: connections to these began under it, and are no concern of an agent that starts again. */
export function closedByListing(listing: TableListing | undefined): ClosedPorts {
  const guarded = portKeys(listing, "guarded");
  const served = portKeys(listing, "served");
  const dropsAll = listing?.chains.has("unguarded") === true;
  return { has: (key) => guarded.has(key) || (dropsAll && !served.has(key)) };
}

function portKeys(listing: TableListing | undefined, set: string): ReadonlySet<PortKey> {
  const keys = new Set<PortKey>();
  for (const { key } of listing?.sets.get(set)?.elements ?? []) {
    const [protocol, port] = key;
    if (protocol?.kind === "protocol" && port?.kind === "port")
      keys.add(portKey({ protocol: protocol.protocol, port: port.port }));
  }
  return keys;
}

/** The connections whose port is closed from now on and was not before. */
export function toAdopt(
  connections: readonly Connection[],
  now: ClosedPorts,
  before: readonly ClosedPorts[],
): NftElement[] {
  return connections
    .filter(({ peer }) => !isLoopback(peer))
    .filter(({ localPort: port }) => {
      const key = portKey({ protocol: "tcp", port });
      return now.has(key) && !before.some((closed) => closed.has(key));
    })
    .map(adoptedElement);
}

/** Loopback is never gated, and there may be thousands of such connections. */
function isLoopback(address: Address): boolean {
  if (familyOf(address) === "ipv4") return (address[3] ?? 0) >>> 24 === 127;
  return address.join() === loopback6.join();
}

const loopback6 = parseAddress("::1") ?? Uint32Array.of(0, 0, 0, 1);
