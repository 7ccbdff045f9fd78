import type { Address } from "../../../src/policy/address.ts";
import { Random } from "../../fuzz/random.ts";
import { address, addressIn, Recording } from "./recording.ts";

/** A host with a gate: what is open to all, what only to some, and what nobody answers. */
export interface GateHost {
  readonly address: Address;
  readonly open: readonly number[];
  /** Closed to strangers; monitors and administrators may connect, as an allow list has it. */
  readonly gated: readonly number[];
}

/** What the background is made of. */
export interface BackgroundOptions {
  readonly seed: number;
  /** About so many flows; the kinds keep their shares. */
  readonly flows: number;
  /** When it begins, microseconds since the epoch, and how long it lasts. */
  readonly from: number;
  readonly lastsMicros: number;
  readonly gates: readonly GateHost[];
}

/** What a kind of background needs. */
interface Scene extends BackgroundOptions {
  readonly random: Random;
  readonly record: Recording;
  /** How many flows this kind is to make. */
  readonly share: number;
}

const second = 1e6;
const web = Array.from({ length: 8 }, (_, at) => addressIn("10.20.1.1", at));
const resolver = address("10.20.2.53");
const monitors = [address("10.20.3.1"), address("10.20.3.2")];
const administrators = Array.from({ length: 6 }, (_, at) => addressIn("10.20.5.1", at));
const peerHost = address("10.20.4.9");

/** Each kind of background with its share of the flows. */
export const backgroundKinds = {
  web: { share: 0.3, play: playWeb },
  dns: { share: 0.2, play: playDns },
  "retries to dead services": { share: 0.05, play: playDeadServices },
  "services that come back": { share: 0.02, play: playRestarts },
  "health checks": { share: 0.08, play: playHealthChecks },
  "ports guessed by clients": { share: 0.03, play: playGuesses },
  "administrators who ping first": { share: 0.02, play: playAdministrators },
  "vertical scans": { share: 0.1, play: playVerticalScans },
  "horizontal scans": { share: 0.1, play: playHorizontalScans },
  "peer to peer": { share: 0.1, play: playPeers },
} as const satisfies Readonly<Record<string, { share: number; play: (scene: Scene) => void }>>;

export type BackgroundKind = keyof typeof backgroundKinds;

/** One kind of background, the same for the same options. */
export function background(kind: BackgroundKind, options: BackgroundOptions): Recording {
  const record = new Recording();
  const { share, play } = backgroundKinds[kind];
  const random = new Random(options.seed, Object.keys(backgroundKinds).indexOf(kind));
  play({ ...options, random, record, share: Math.ceil(options.flows * share) });
  return record;
}

function client({ random }: Scene): Address {
  return addressIn("10.64.0.1", random.below(4000));
}

function stranger({ random }: Scene): Address {
  return addressIn("198.18.0.1", random.below(100_000));
}

/** A moment that leaves room for what follows it. */
function anyTime({ random, from, lastsMicros }: Scene): number {
  return from + random.below(Math.max(1, lastsMicros - 60 * second));
}

/** Pages are several connections to one server; some go to what is open on the gates. */
function playWeb(scene: Scene): void {
  const { record, random, gates } = scene;
  const servers = [
    ...web.map((to) => ({ to, ports: [443, 80] })),
    ...gates.map((gate) => ({ to: gate.address, ports: gate.open })),
  ];
  while (record.flows < scene.share) {
    const { to, ports } = random.pick(servers);
    const [from, at, port] = [client(scene), anyTime(scene), random.pick(ports)];
    for (let one = 0; one <= random.below(6); one++)
      record.connection({ at: at + one * 30_000, from, to, port }, 1 + random.below(3));
    if (random.oneIn(4)) record.datagram({ at: at + 500_000, from, to, port: 443 }, random.below(3) > 0);
  }
}

function playDns(scene: Scene): void {
  const { record, random } = scene;
  while (record.flows < scene.share)
    record.datagram({ at: anyTime(scene), from: client(scene), to: resolver, port: 53 }, !random.oneIn(200));
}

/** A client has two to four services of one host configured that are gone, and one that is there, and goes through them now and then. */
function playDeadServices(scene: Scene): void {
  const { record, random } = scene;
  while (record.flows < scene.share) {
    const [from, to, at] = [client(scene), random.pick(web), anyTime(scene)];
    const dead = Array.from({ length: 2 + random.below(3) }, (_, index) => 8000 + index * 11 + random.below(10));
    const isSilent = random.oneIn(2);
    for (let round = 0; round <= random.below(4); round++) {
      for (const [index, port] of dead.entries()) {
        const ask = { at: at + round * 10 * second + index * 200_000, from, to, port };
        if (isSilent) record.silent(ask, 2);
        else record.refused(ask);
      }
      record.connection({ at: at + round * 10 * second + second, from, to, port: 443 });
    }
  }
}

/** A host restarts: its services are refused for a while, then come back one after the other. */
function playRestarts(scene: Scene): void {
  const { record, random } = scene;
  for (let host = 0; record.flows < scene.share; host++) {
    const to = addressIn("10.20.8.1", host % 250);
    const [at, ports] = [anyTime(scene), [5432, 6379, 9000, 11_211]];
    const users = Array.from({ length: 1 + random.below(4) }, () => client(scene));
    for (let round = 0; round < 8; round++)
      for (const from of users)
        for (const [index, port] of ports.entries()) {
          const ask = { at: at + round * 5 * second + index * 20_000 + random.below(15_000), from, to, port };
          if (round < 3 + index) record.refused(ask);
          else record.connection(ask, 1);
        }
  }
}

/** Monitors go round: exporters that are not there on any host, then what is open to all, or only to them. */
function playHealthChecks(scene: Scene): void {
  const { record, random, gates, from, lastsMicros } = scene;
  const hosts = [
    ...gates.map(({ address: to, gated, open }) => ({ to, live: [...gated, ...open] })),
    ...web.map((to) => ({ to, live: [443] })),
  ];
  const periodMicros = Math.max(15 * second, (lastsMicros * hosts.length * monitors.length * 6) / scene.share);
  for (let at = from; at < from + lastsMicros && record.flows < scene.share; at += periodMicros)
    for (const monitor of monitors)
      for (const { to, live } of hosts) {
        const began = at + random.below(second);
        record.echo({ at: began, from: monitor, to });
        for (const [index, port] of [9100, 9256, 9187].entries())
          record.silent({ at: began + (index + 1) * 100_000, from: monitor, to, port });
        record.connection({ at: began + 500_000, from: monitor, to, port: random.pick(live) }, 1);
      }
}

/** A client tries the ports where something might be, until one answers. */
function playGuesses(scene: Scene): void {
  const { record, random, gates } = scene;
  const hosts = [...web, ...gates.map((gate) => gate.address)];
  while (record.flows < scene.share) {
    const [from, to, at] = [client(scene), random.pick(hosts), anyTime(scene)];
    const tried = [8443, 8080, 8888, 3000].slice(0, 1 + random.below(4));
    for (const [index, port] of tried.entries()) record.refused({ at: at + index * 50_000, from, to, port });
    const open = gates.find((gate) => gate.address === to)?.open[0] ?? 443;
    record.connection({ at: at + second, from, to, port: open });
  }
}

/** Ping, then what the allow list lets them do. Now and then a page is tried first that nobody serves. */
function playAdministrators(scene: Scene): void {
  const { record, random, gates } = scene;
  while (record.flows < scene.share) {
    const [at, from, gate] = [anyTime(scene), random.pick(administrators), random.pick(gates)];
    for (let one = 0; one < 3; one++) record.echo({ at: at + one * second, from, to: gate.address });
    const pages = random.oneIn(12) ? [8443, 8080, 9090].slice(random.below(3)) : [];
    for (const [index, port] of pages.entries())
      record.silent({ at: at + 3 * second + index * second, from, to: gate.address, port }, 2);
    record.connection({ at: at + 8 * second, from, to: gate.address, port: random.pick(gate.gated) }, 3);
  }
}

/** One stranger, one host, hundreds of ports; what is open answers. */
function playVerticalScans(scene: Scene): void {
  const { record, random, gates } = scene;
  while (record.flows < scene.share) {
    const [from, gate, at] = [stranger(scene), random.pick(gates), anyTime(scene)];
    const [first, isOrdered] = [1 + random.below(60_000), random.oneIn(2)];
    const some = Array.from({ length: 400 }, (_, index) => (isOrdered ? first + index : 1 + random.below(65_535)));
    const ports = [...some, ...gate.open, ...gate.gated];
    if (!isOrdered) ports.sort(() => random.below(3) - 1);
    for (const [index, port] of ports.entries()) {
      const ask = { at: at + index * 10_000, from, to: gate.address, port };
      if (gate.open.includes(port)) record.halfOpen(ask);
      else record.silent(ask);
    }
  }
}

/** One stranger, many hosts, a few ports. */
function playHorizontalScans(scene: Scene): void {
  const { record, random, gates } = scene;
  while (record.flows < scene.share) {
    const [from, at] = [stranger(scene), anyTime(scene)];
    const known = [...gates.flatMap(({ gated, open }) => [...gated, ...open]), 23, 445, 3389];
    const ports = Array.from({ length: 1 + random.below(3) }, () => random.pick(known));
    for (let host = 0; host < 60; host++) {
      const gate = random.oneIn(6) ? random.pick(gates) : undefined;
      for (const [index, port] of ports.entries()) {
        const ask = {
          at: at + host * 100_000 + index * 3000,
          from,
          to: gate?.address ?? addressIn("10.30.0.1", random.below(60_000)),
          port,
        };
        if (gate?.open.includes(port)) record.halfOpen(ask);
        else record.silent(ask);
      }
    }
  }
}

/** Peers come and go: most that one has heard of are dead, and the ports are any. */
function playPeers(scene: Scene): void {
  const { record, random } = scene;
  while (record.flows < scene.share) {
    const [peer, at] = [stranger(scene), anyTime(scene)];
    const port = 1024 + random.below(60_000);
    record.datagram(
      { at, from: peer, to: peerHost, port: random.oneIn(3) ? 51_413 : 1024 + random.below(60_000) },
      random.oneIn(3),
    );
    const ask = { at: at + random.below(20 * second), from: peerHost, to: peer, port };
    if (random.oneIn(4)) record.connection(ask, 2);
    else record.silent(ask, 1);
    if (random.oneIn(3)) record.connection({ at: at + 5 * second, from: peer, to: peerHost, port: 51_413 }, 2);
  }
}
