import type { Packet } from "../../../src/decode/packet.ts";
import { type Address, parseAddress } from "../../../src/policy/address.ts";

const tcp = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;

/** Who sends to what, and when: microseconds since the epoch. */
export interface Ask {
  readonly at: number;
  readonly from: Address;
  readonly to: Address;
  readonly port: number;
  readonly sourcePort?: number;
}

/** A little more than a round trip on a local network. */
const roundTripMicros = 400;

/**
 * Made-up traffic, packet by packet, as a tap beside the asked host sees it. Source ports count up, so that no two flows of a
 * recording are taken for one.
 */
export class Recording {
  readonly #packets: Packet[] = [];
  #sourcePort = 0;
  /** Connections, attempts, datagrams with or without answer: one each. */
  flows = 0;

  /** All packets by time. */
  get packets(): readonly Packet[] {
    return this.#packets.sort((one, other) => one.atMicros - other.atMicros);
  }

  /** A TCP connection that is accepted, used and closed. */
  connection(ask: Ask, segments = 2): void {
    const { send, answer } = this.#flow(ask, 6);
    send(0, tcp.syn);
    answer(roundTripMicros, tcp.syn | tcp.ack);
    send(roundTripMicros * 2, tcp.ack);
    for (let at = 0; at < segments; at++) {
      send(3000 + at * 2000, tcp.psh | tcp.ack, 500);
      answer(4000 + at * 2000, tcp.psh | tcp.ack, 1200);
    }
    const end = 5000 + segments * 2000;
    send(end, tcp.fin | tcp.ack);
    answer(end + roundTripMicros, tcp.fin | tcp.ack);
    send(end + roundTripMicros * 2, tcp.ack);
  }

  /** A TCP attempt that is answered with a reset. */
  refused(ask: Ask): void {
    const { send, answer } = this.#flow(ask, 6);
    send(0, tcp.syn);
    answer(roundTripMicros, tcp.rst | tcp.ack);
  }

  /** A TCP attempt that nobody answers; a system tries again after 1, 3, 7 and 15 seconds. */
  silent(ask: Ask, retransmissions = 0): void {
    const { send } = this.#flow(ask, 6);
    for (let retry = 0; retry <= retransmissions; retry++) send((2 ** retry - 1) * 1e6, tcp.syn);
  }

  /** What a scanner does to an open port: it resets as soon as it was answered. */
  halfOpen(ask: Ask): void {
    const { send, answer } = this.#flow(ask, 6);
    send(0, tcp.syn);
    answer(roundTripMicros, tcp.syn | tcp.ack);
    send(roundTripMicros + 50, tcp.rst);
  }

  /** One TCP packet with any flags. */
  odd(ask: Ask, flags: number): void {
    this.#flow(ask, 6).send(0, flags);
  }

  /** A datagram, answered or not. */
  datagram(ask: Ask, isAnswered: boolean, bytes = 60): void {
    const { send, answer } = this.#flow(ask, 17);
    send(0, 0, bytes);
    if (isAnswered) answer(roundTripMicros, 0, 120);
  }

  /** An echo request of so many bytes, and its reply. */
  echo(ask: Omit<Ask, "port">, bytes = 64): void {
    const { send } = this.#flow({ ...ask, port: 8, sourcePort: 0 }, 1);
    send(0, 0, bytes);
    const back = this.#flow({ at: ask.at, from: ask.to, to: ask.from, port: 0, sourcePort: 0 }, 1);
    back.send(roundTripMicros, 0, bytes);
    this.flows--;
  }

  #flow(ask: Ask, protocol: number) {
    this.flows++;
    const sourcePort = ask.sourcePort ?? 32_768 + (this.#sourcePort++ % 28_000);
    const there = { source: ask.from, target: ask.to, port: ask.port, sourcePort };
    const back = { source: ask.to, target: ask.from, port: sourcePort, sourcePort: ask.port };
    return {
      send: (after: number, flags: number, bytes = 0) =>
        this.#add({ ...there, protocol, flags }, ask.at + after, bytes),
      answer: (after: number, flags: number, bytes = 0) =>
        this.#add({ ...back, protocol, flags }, ask.at + after, bytes),
    };
  }

  #add(
    part: Pick<Packet, "source" | "target" | "port" | "sourcePort" | "protocol" | "flags">,
    at: number,
    bytes: number,
  ) {
    const sequenceNumber = part.protocol === 17 ? ((8 + bytes) << 16) >>> 0 : bytes;
    this.#packets.push({ ...part, atMicros: at, stampMicros: at, sequenceNumber, ipId: 0 });
  }
}

/** An address that is known to be one. */
export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

/** The IPv4 address of this number within a network that begins here. */
export function addressIn(network: string, number: number): Address {
  const first = address(network);
  return Uint32Array.of(0, 0, 0xffff, ((first[3] ?? 0) + number) >>> 0);
}
