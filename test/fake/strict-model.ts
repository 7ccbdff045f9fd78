import { type RandomDoor, type RandomPacket, stepOf } from "./random-doors.ts";

/** What knockd's rules make of some packets of one source. */
export interface StrictResult {
  /** Names of doors, in the order in which they opened. */
  readonly opened: readonly string[];
  /** Whether an attempt ended while another of the same source lived on: then the real knockd loses the other one, which is a defect. */
  readonly loses: boolean;
}

interface Attempt {
  readonly door: RandomDoor;
  done: number;
  failed: boolean;
}

const isOver = ({ door, done, failed }: Attempt) => failed || done === door.steps.length;

function accepts(door: RandomDoor, packet: RandomPacket): boolean {
  return door.target === undefined || door.target === packet.target;
}

function hasFlags(door: RandomDoor, packet: RandomPacket): boolean {
  return packet.protocol === "udp" || ((packet.flags & door.must) === door.must && (packet.flags & door.mustNot) === 0);
}

/** knockd's state machine for one source, written from its description and from nothing else. No time passes. */
export function playStrictly(doors: readonly RandomDoor[], packets: readonly RandomPacket[]): StrictResult {
  const opened: string[] = [];
  let attempts: Attempt[] = [];
  let loses = false;
  for (const packet of packets) {
    const step = stepOf(packet);
    const isMeant = (door: RandomDoor) => accepts(door, packet) && hasFlags(door, packet);
    if (!doors.some((door) => isMeant(door) && door.steps.includes(step))) continue;
    const live = attempts.filter(({ door }) => accepts(door, packet));
    for (const attempt of live.filter(({ door }) => hasFlags(door, packet))) {
      if (attempt.door.steps[attempt.done] === step) attempt.done++;
      else attempt.failed = true;
    }
    const begun = live.length > 0 ? [] : doors.filter((door) => isMeant(door) && door.steps[0] === step);
    attempts.push(...begun.map((door) => ({ door, done: 1, failed: false })));
    opened.push(...attempts.filter((one) => isOver(one) && !one.failed).map(({ door }) => door.name));
    const survivors = attempts.filter((one) => !isOver(one));
    if (survivors.length > 0 && survivors.length < attempts.length) loses = true;
    attempts = survivors;
  }
  return { opened, loses };
}
