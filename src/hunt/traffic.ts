import type { Packet } from "../decode/packet.ts";
import { type Address, familyOf } from "../policy/address.ts";
import { type Carrier, type Flow, protocolOf } from "./flow.ts";
import { flowPort, roleOf } from "./opening-packet.ts";
import { Peer } from "./peer.ts";
import { RecentMap } from "./recent-map.ts";
import { Service } from "./service.ts";

/** How much is remembered, whatever comes: pairs of hosts, ports, and hosts; each of them at most twice as often. */
const mostPeers = 131_072;
const mostServices = 131_072;
const mostHosts = 65_536;

/** Something was answered for the first time. Valid until the receiver returns. */
export interface Opening {
  readonly source: Address;
  readonly target: Address;
  readonly sourceKey: string;
  readonly peer: Peer;
  readonly flow: Flow;
  readonly service: Service;
}

/** What the traffic tells. */
export interface TrafficReceiver {
  opened(opening: Opening): void;
  /** A source tries a port again that had not answered it; `before` is the last try. */
  triedAgain(peer: Peer, before: Flow, flow: Flow): void;
}

/** How many hosts one host has sent to. */
export interface Reach {
  targets: number;
  /** Those of which none has answered anything. */
  silent: number;
}

/**
 * Packets to flows: who asked whom, and whether it was answered. Both directions help but either will do: an answer shows by
 * itself, or by the source going on.
 */
export class Traffic {
  readonly #peers = new RecentMap<Peer>(mostPeers);
  readonly #services = new RecentMap<Service>(mostServices);
  readonly #hosts = new RecentMap<Reach>(mostHosts);
  readonly #keepMicros: number;
  readonly #receiver: TrafficReceiver;

  /** Flows are kept so long after their last packet. */
  constructor(keepMicros: number, receiver: TrafficReceiver) {
    this.#keepMicros = keepMicros;
    this.#receiver = receiver;
  }

  /** Pairs of hosts that had to be forgotten; more than none, and the hunt may have missed something. */
  get forgotten(): number {
    return this.#peers.forgotten;
  }

  observe(packet: Packet): void {
    const role = roleOf(packet);
    if (role === "nothing" || isForMany(packet.target)) return;
    const source = addressKey(packet.source);
    const target = addressKey(packet.target);
    if (role === "follows") this.#follow(packet, source, target);
    else if (role !== "udp" || !this.#answer(packet, source, target)) this.#open(packet, role, source, target);
  }

  peer(source: Address, target: Address): Peer | undefined {
    return this.#peers.get(addressKey(source) + addressKey(target));
  }

  service(target: Address, carrier: Carrier, port: number): Service | undefined {
    return this.#services.get(serviceKey(addressKey(target), carrier, port));
  }

  reach(source: Address): Reach {
    return this.#hosts.get(addressKey(source)) ?? { targets: 0, silent: 0 };
  }

  /** Whether the packet answers something; if so that is answered now. */
  #answer(packet: Packet, source: string, target: string): boolean {
    const peer = this.#peers.get(target + source);
    const flow = peer?.find(packet.protocol, packet.sourcePort, packet.port);
    if (peer === undefined || flow === undefined || isForMany(packet.source)) return false;
    if (!flow.answered) this.#answered(peer, flow, packet.target, packet.source, target, source);
    return true;
  }

  /** With ACK: an answer, or the asker going on with what was answered. */
  #follow(packet: Packet, source: string, target: string): void {
    if (this.#answer(packet, source, target)) return;
    const peer = this.#peers.get(source + target);
    const flow = peer?.find(packet.protocol, packet.port, packet.sourcePort);
    if (peer === undefined || flow === undefined || flow.carrier !== "syn" || flow.answered) return;
    this.#answered(peer, flow, packet.source, packet.target, source, target);
  }

  #answered(peer: Peer, flow: Flow, source: Address, target: Address, sourceKey: string, targetKey: string): void {
    flow.answered = true;
    if (!peer.isAnswered) {
      peer.isAnswered = true;
      const reach = this.#hosts.get(sourceKey);
      if (reach !== undefined && reach.silent > 0) reach.silent--;
    }
    const service = this.#services.getOrMake(serviceKey(targetKey, flow.carrier, flow.port), () => new Service());
    this.#receiver.opened({ source, target, sourceKey, peer, flow, service });
    if (flow.carrier === "syn") peer.connections++;
  }

  #open(packet: Packet, carrier: Carrier, source: string, target: string): void {
    const peer = this.#peers.getOrMake(source + target, () => this.#meet(source));
    const port = flowPort(packet, carrier);
    const known = peer.find(packet.protocol, port, packet.sourcePort);
    if (known !== undefined && packet.atMicros - known.lastMicros <= this.#keepMicros) {
      known.lastMicros = packet.atMicros;
      known.packets++;
      return;
    }
    const flow = peer.add(carrier, port, packet.sourcePort, packet, this.#keepMicros);
    if (carrier === "icmp") return;
    const service = this.#services.getOrMake(serviceKey(target, carrier, port), () => new Service());
    const before = service.tried(source, flow);
    if (before !== undefined) this.#receiver.triedAgain(peer, before, flow);
  }

  #meet(source: string): Peer {
    const reach = this.#hosts.getOrMake(source, () => ({ targets: 0, silent: 0 }));
    reach.targets++;
    reach.silent++;
    return new Peer();
  }
}

/** Multicast and broadcast to all: many may hear it, and nobody has to answer. */
function isForMany(address: Address): boolean {
  const last = address[3] ?? 0;
  if ((address[0] ?? 0) >>> 24 === 0xff) return true;
  return familyOf(address) === "ipv4" && (last >>> 28 === 14 || last === 0xffffffff);
}

/** The address as text of fixed length for its family, so that two of them in a row are unambiguous. */
export function addressKey(address: Address): string {
  const [a = 0, b = 0, c = 0, d = 0] = address;
  const last = String.fromCharCode(d >>> 16, d & 0xffff);
  if (familyOf(address) === "ipv4") return last;
  return String.fromCharCode(a >>> 16, a & 0xffff, b >>> 16, b & 0xffff, c >>> 16, c & 0xffff) + last;
}

function serviceKey(target: string, carrier: Carrier, port: number): string {
  return target + String.fromCharCode(protocolOf(carrier), port & 0xffff);
}
