import type { Knock } from "../decode/knock.ts";
import { type Entry, type EntryArena, identityWords, stepWords, word } from "./entry-arena.ts";
import type { Role } from "./matcher.ts";

/**
 * The last two packets that were accepted as each step, and when they were last seen. Two, so that a late retransmission
 * from one round does not disturb the next. A retransmission that is seen counts as seen anew: the retries of one
 * connect at 1, 3, 7 and 15 seconds are all known, although the last comes a window after the first.
 *
 * Times are milliseconds modulo 2^32. A packet may be older by its stamp than the last one seen (two links, two stamps):
 * the distance counts, not its sign.
 */

/** Milliseconds of a time stamp, modulo 2^32, signed. */
export function millisecondsOf(atMicros: number): number {
  return Math.floor(atMicros / 1000) | 0;
}

/** The window in whole milliseconds; one of more than 24 days counts as 24 days. */
export function windowMilliseconds(withinMicros: number): number {
  return Math.min(2 ** 31 - 1, Math.ceil(withinMicros / 1000));
}

/** Makes an entry know no packet. */
export function forgetIdentities(arena: EntryArena, entry: Entry, nowMs: number): void {
  const memory = arena.memory(entry);
  const end = arena.base(entry) + word.identities + arena.steps(entry) * stepWords;
  for (let at = arena.base(entry) + word.identities; at < end; at += identityWords) {
    memory[at] = 0;
    memory[at + 1] = 0;
    memory[at + 2] = nowMs ^ 0x80000000; // half the circle away: out of every window
  }
}

/** Whether the packet was accepted before as a step with this port, and seen less than the window ago. If so it is seen now. */
export function recognise(arena: EntryArena, entry: Entry, role: Role, knock: Knock, windowMs: number): boolean {
  const memory = arena.memory(entry);
  const base = arena.base(entry) + word.identities;
  const second = secondWord(knock);
  const nowMs = millisecondsOf(knock.atMicros);
  for (let left = role; left !== 0; left &= left - 1) {
    const newer = base + (31 - Math.clz32(left & -left)) * stepWords;
    for (let at = newer; at < newer + stepWords; at += identityWords) {
      if (memory[at] !== knock.sequenceNumber || memory[at + 1] !== second) continue;
      if (distance(memory[at + 2] as number, nowMs) >= windowMs) continue;
      memory[at + 2] = nowMs;
      return true;
    }
  }
  return false;
}

/** Notes the packet as the newest one accepted as this step. */
export function rememberIdentity(arena: EntryArena, entry: Entry, step: number, knock: Knock): void {
  const memory = arena.memory(entry);
  const at = arena.base(entry) + word.identities + step * stepWords;
  for (let copied = at; copied < at + identityWords; copied++)
    memory[copied + identityWords] = memory[copied] as number;
  memory[at] = knock.sequenceNumber;
  memory[at + 1] = secondWord(knock);
  memory[at + 2] = millisecondsOf(knock.atMicros);
}

/** The packet's identity as a text; time, target and link are no part of it, so every node that sees it names it alike. */
export function packetName({ sourcePort, sequenceNumber, ipId }: Knock): string {
  return `${sourcePort}.${sequenceNumber}.${ipId}`;
}

/** How long ago the packet last seen was seen, in milliseconds. */
export function idleMilliseconds(arena: EntryArena, entry: Entry, nowMs: number): number {
  const memory = arena.memory(entry);
  const end = arena.base(entry) + word.identities + arena.steps(entry) * stepWords;
  let least = 2 ** 31;
  for (let at = arena.base(entry) + word.identities; at < end; at += identityWords) {
    least = Math.min(least, distance(memory[at + 2] as number, nowMs));
  }
  return least;
}

function secondWord(knock: Knock): number {
  return ((knock.sourcePort << 16) | knock.ipId) >>> 0;
}

function distance(seenMs: number, nowMs: number): number {
  const signed = (nowMs - seenMs) | 0;
  return signed < 0 ? -signed : signed;
}
