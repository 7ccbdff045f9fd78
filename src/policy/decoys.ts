import { createHmac } from "node:crypto";
import { type PortKey, type Protocol, portKey, portOfKey } from "./port.ts";
import { scannerPorts } from "./scanner-ports.ts";

/**
 * Draws the decoys of a sequence: watched ports that nobody knocks on, a hit of which resets that sequence.
 *
 * | which | how many | against |
 * |---|---|---|
 * | the ports beside each step | at most two a step, on top of `count` | scans port by port, up or down |
 * | between two steps of a protocol that are adjacent in number | of `count`: two odd and two even, where there is room; usual ports before others | scans of every second port, and of the usual ones in order |
 * | from the 1,000 ports that scanners try first | half of the rest | scans of the usual ports, in any order |
 * | from 1 to 65535 | the other half | scans of everything, in any order |
 *
 * When `count` is too small for all gaps, every gap gets its first odd decoy before one gets its first even one. The rest
 * is spread over the protocols as the steps are. Everything is drawn by HMAC from the steps: the same after a restart and
 * on every node, and unknown to whoever does not know the steps. The answer is ascending, without repeats, and holds no
 * step and nothing `forbidden` (a step of any policy, a guarded or a served port), so it may hold fewer than asked.
 *
 * A `count` of 0 means no decoys at all, no neighbours either: it is how somebody switches them off.
 */
export function drawDecoys(
  steps: readonly PortKey[],
  count: number,
  forbidden: (key: PortKey) => boolean,
): readonly PortKey[] {
  if (count === 0) return [];
  const decoys = new Set<PortKey>();
  const own = new Set(steps);
  const take = (key: PortKey) => {
    if (own.has(key) || decoys.has(key) || forbidden(key)) return false;
    decoys.add(key);
    return true;
  };
  for (const step of own) for (const key of neighbours(step)) take(key);
  const draw = drawFrom(steps);
  const rest = count - takeBetween(own, count, draw, take);
  const usual = rest >>> 1;
  for (let at = 0; at < rest; at++) {
    const { protocol } = portOfKey(steps[at % steps.length] ?? 0);
    takeOne(at < usual ? scannerPorts[protocol] : everyPort, protocol, draw, take);
  }
  return [...decoys].sort((one, other) => one - other);
}

/** Gives a number from 0 to `below` - 1, another at each call. */
type Draw = (below: number) => number;

/** Takes the port as a decoy, unless it may not be one or is one. */
type Take = (key: PortKey) => boolean;

const everyPort: readonly number[] = Array.from({ length: 65535 }, (_, at) => at + 1);

/** The ports that scanners try first: the even ones, then the odd ones. */
const usualByParity: Readonly<Record<Protocol, readonly (readonly number[])[]>> = {
  tcp: [0, 1].map((parity) => scannerPorts.tcp.filter((port) => (port & 1) === parity)),
  udp: [0, 1].map((parity) => scannerPorts.udp.filter((port) => (port & 1) === parity)),
};

/** How often a port is drawn again when it may not be taken; beyond that nearly all are forbidden, and one decoy is given up. */
const drawsPerDecoy = 64;

function neighbours(step: PortKey): readonly PortKey[] {
  const { port, protocol } = portOfKey(step);
  return [port - 1, port + 1]
    .filter((near) => near >= 1 && near <= 65535)
    .map((near) => portKey({ protocol, port: near }));
}

/** Fills the gaps between adjacent steps and tells how many decoys that took, at most `count`. */
function takeBetween(own: ReadonlySet<PortKey>, count: number, draw: Draw, take: Take): number {
  const sorted = [...own].sort((one, other) => one - other);
  let taken = 0;
  for (const parity of [1, 0, 1, 0]) {
    for (const [at, low] of sorted.entries()) {
      const high = sorted[at + 1];
      if (taken === count) return taken;
      if (high !== undefined && low >>> 16 === high >>> 16 && takeInside(low, high, parity, draw, take)) taken++;
    }
  }
  return taken;
}

/**
 * Takes one port of the parity between two steps: one that scanners try first where there is one, so that it stands in the
 * way of scans of the usual ports as well.
 */
function takeInside(low: PortKey, high: PortKey, parity: number, draw: Draw, take: Take): boolean {
  const { protocol, port: lowest } = portOfKey(low);
  const { port: highest } = portOfKey(high);
  const usual = usualByParity[protocol][parity] ?? [];
  const from = countBelow(usual, lowest + 1);
  const until = countBelow(usual, highest);
  if (takeAny(until - from, (at) => portKey({ protocol, port: usual[from + at] ?? 0 }), draw, take)) return true;
  const first = lowest + 1 + (((lowest + 1) ^ parity) & 1);
  return takeAny(Math.ceil((highest - first) / 2), (at) => portKey({ protocol, port: first + 2 * at }), draw, take);
}

/** How many of the ascending ports are lower. */
function countBelow(ports: readonly number[], limit: number): number {
  let [low, high] = [0, ports.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ports[middle] ?? limit) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes a drawn one of so many keys, or the next that may be taken. */
function takeAny(room: number, keyAt: (at: number) => PortKey, draw: Draw, take: Take): boolean {
  const start = room > 0 ? draw(room) : 0;
  for (let at = 0; at < room; at++) if (take(keyAt((start + at) % room))) return true;
  return false;
}

function takeOne(ports: readonly number[], protocol: Protocol, draw: Draw, take: Take): void {
  for (let tries = 0; tries < drawsPerDecoy; tries++) {
    if (take(portKey({ protocol, port: ports[draw(ports.length)] ?? 0 }))) return;
  }
}

/** HMAC-SHA-512 in counter mode (NIST SP 800-108), keyed by the steps; 32 bits a draw, so that the bias is below 1 in 65,536. */
function drawFrom(steps: readonly PortKey[]): Draw {
  const key = steps.join(",");
  let block = Buffer.alloc(0);
  let counter = 0;
  let at = 0;
  return (below) => {
    if (at === block.length) {
      block = createHmac("sha512", key).update(`knockgate decoys ${counter++}`).digest();
      at = 0;
    }
    at += 4;
    return block.readUInt32BE(at - 4) % below;
  };
}
