import type { Random } from "../fuzz/random.ts";

/** A door of a knockd.conf made at random. */
export interface RandomDoor {
  readonly name: string;
  /** `2001/tcp`. */
  readonly steps: readonly string[];
  readonly must: number;
  readonly mustNot: number;
  readonly flagText: string | undefined;
  readonly target: string | undefined;
}

/** A packet of a script. */
export interface RandomPacket {
  readonly target: string;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly flags: number;
}

/** The step that a packet is. */
export const stepOf = ({ port, protocol }: RandomPacket): string => `${port}/${protocol}`;

/** Two addresses of each family that the doors' host has. */
export type Targets = Readonly<Record<"ipv4" | "ipv6", readonly [string, string]>>;

const [fin, syn, ack] = [1, 2, 16];
const flagRules = [
  { flagText: undefined, must: 0, mustNot: 0 },
  { flagText: "syn", must: syn, mustNot: 0 },
  { flagText: "syn,!ack", must: syn, mustNot: ack },
  { flagText: "fin", must: fin, mustNot: 0 },
  { flagText: "!ack", must: 0, mustNot: ack },
];
const watchedPorts = Array.from({ length: 24 }, (_, at) => 2001 + at);
/** The end of every script: by UDP no attempt ignores it, so that nothing is under way when the next script begins. */
const lastPort = 1999;

/** Doors as people have them, and stranger ones: shared ports and first steps, one step, repeats, targets. */
export function randomDoors(random: Random, targets: Targets): readonly RandomDoor[] {
  const step = () => `${random.pick(watchedPorts)}/${random.oneIn(3) ? "udp" : "tcp"}`;
  const firsts: string[] = [];
  const doors = Array.from({ length: 4 + random.below(6) }, (_, at): RandomDoor => {
    let first = step();
    // Most begin differently, as doors that share their beginning are where knockd loses one.
    for (let tries = 0; tries < 20 && firsts.includes(first) && !random.oneIn(4); tries++) first = step();
    firsts.push(first);
    const more = random.oneIn(8) ? 0 : 1 + random.below(4);
    const target = random.oneIn(4) ? random.pick(targets[random.pick(["ipv4", "ipv6"] as const)]) : undefined;
    const steps = [first, ...Array.from({ length: more }, step)];
    return { name: `d${at}`, steps, ...random.pick(flagRules), target };
  });
  return [
    ...doors,
    { name: "last", steps: [`${lastPort}/udp`], must: 0, mustNot: 0, flagText: undefined, target: undefined },
  ];
}

/** The doors as a knockd.conf. */
export function confOf(doors: readonly RandomDoor[]): string {
  return doors
    .map(({ name, steps, flagText, target }) => {
      const lines = [`[${name}]`, `  sequence = ${steps.join(",").replaceAll("/", ":")}`];
      if (flagText !== undefined) lines.push(`  tcpflags = ${flagText}`);
      if (target !== undefined) lines.push(`  target = ${target}`);
      return `${lines.join("\n")}\n`;
    })
    .join("");
}

/** What one source sends: more than half the time a right knock, with what does not matter in between; else something like one. */
export function randomScript(
  random: Random,
  doors: readonly RandomDoor[],
  addresses: readonly [string, string],
): readonly RandomPacket[] {
  const usable = doors.filter(({ target }) => target === undefined || addresses.includes(target));
  const packets: RandomPacket[] = [];
  for (let knocks = random.oneIn(4) ? 2 : 1; knocks > 0; knocks--) {
    const right = rightKnock(random, random.pick(usable), addresses);
    packets.push(
      ...(random.below(10) < 6 ? withNoise(random, right, addresses) : spoiled(random, right, doors, addresses)),
    );
  }
  return [...packets, ...addresses.map((target) => ({ target, protocol: "udp" as const, port: lastPort, flags: 0 }))];
}

function rightKnock(random: Random, door: RandomDoor, addresses: readonly [string, string]): readonly RandomPacket[] {
  return door.steps.map((step) => packetOf(random, step, door, door.target ?? random.pick(addresses)));
}

/** With the flags that the door asks for, sometimes more. */
function packetOf(random: Random, step: string, door: RandomDoor | undefined, target: string): RandomPacket {
  const [port, protocol] = step.split("/") as [string, "tcp" | "udp"];
  const asked = door === undefined || door.must === 0 ? syn : door.must;
  const flags = random.oneIn(6) ? asked | (random.pick([fin, 8, 32]) & ~(door?.mustNot ?? 0)) : asked;
  return { target, protocol, port: Number(port), flags: protocol === "udp" ? 0 : flags };
}

/** Packets to ports of no door come in between, and TCP packets without a flag. */
function withNoise(
  random: Random,
  packets: readonly RandomPacket[],
  addresses: readonly [string, string],
): RandomPacket[] {
  return packets.flatMap((packet) => {
    if (!random.oneIn(4)) return [packet];
    const port = 3000 + random.below(500);
    const protocol = random.pick(["tcp", "udp"] as const);
    const noise = { target: random.pick(addresses), protocol, port, flags: protocol === "udp" ? 0 : syn };
    return random.oneIn(2) ? [noise, packet] : [packet, noise];
  });
}

/** One to three slips: a packet lost, doubled, swapped with the next, with other flags, to another address, or one of any door. */
function spoiled(
  random: Random,
  packets: readonly RandomPacket[],
  doors: readonly RandomDoor[],
  addresses: readonly [string, string],
): RandomPacket[] {
  const out = [...packets];
  for (let slips = 1 + random.below(3); slips > 0; slips--) {
    const at = random.below(out.length + 1);
    const here = out[at];
    const other = packetOf(random, random.pick(random.pick(doors).steps), undefined, random.pick(addresses));
    if (here === undefined || random.oneIn(3)) out.splice(at, 0, other);
    else {
      const kind = random.below(5);
      if (kind === 0) out.splice(at, 1);
      else if (kind === 1) out.splice(at, 0, here);
      else if (kind === 2) out.splice(at, 2, ...out.slice(at, at + 2).reverse());
      else if (kind === 3) out[at] = { ...here, target: random.pick(addresses) };
      else out[at] = { ...here, flags: here.protocol === "udp" ? 0 : random.pick([0, fin, syn, ack, syn | ack]) };
    }
  }
  return out;
}
