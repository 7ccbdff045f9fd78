import type { Knock } from "../decode/knock.ts";
import type { Address } from "../policy/address.ts";
import { type Entry, EntryArena, noEntry, word } from "./entry-arena.ts";
import { EntryIndex, isMapped } from "./entry-index.ts";
import { forgetIdentities, idleMilliseconds, millisecondsOf, recognise, rememberIdentity } from "./identity.ts";
import type { Role } from "./matcher.ts";
import { RecencyList } from "./recency-list.ts";
import type { SourceHash } from "./source-hash.ts";

/** How many entries one IPv6 /64 may have: a single customer usually owns all of its addresses. */
export const entriesPerPrefix = 16;

/** How long an entry stays after its window has run out, so that a late knock can still be told that it is late. */
const lingerMs = 60_000;

/** How many dead entries one knock clears away from each pool at most. */
const sweptPerKnock = 8;

const doneMask = 63;
const furtherBit = 64;

/** How long the window of a sequence is, by its number, in milliseconds; undefined when the sequence is gone. */
export type WindowOf = (number: number) => number | undefined;

/**
 * The progress of every source in every sequence, bounded. An entry is a source in a sequence.
 *
 * There are two pools of half the limit each, and each throws out its own least recently used entry: one for sources at
 * their first step (and those thrown back to it), one for those that have done two steps or more, until the next reset.
 * So a flood of first steps displaces first steps only. What is dead is cleared away a few entries a knock; what is thrown
 * out alive is counted.
 */
export class ProgressTable {
  readonly #arena = new EntryArena();
  readonly #index: EntryIndex;
  readonly #first = new RecencyList(this.#arena);
  readonly #further = new RecencyList(this.#arena);
  readonly #firstLimit: number;
  readonly #furtherLimit: number;
  readonly #windowOf: WindowOf;
  readonly #evicted: (count: number) => void;
  readonly #samePrefix = new Int32Array(entriesPerPrefix);
  /** Before this there is nothing to sweep. */
  #sweepAtMicros = Number.POSITIVE_INFINITY;

  constructor(limit: number, hash: SourceHash, windowOf: WindowOf, evicted: (count: number) => void) {
    this.#firstLimit = Math.max(1, limit >>> 1);
    this.#furtherLimit = Math.max(1, limit - this.#firstLimit);
    this.#index = new EntryIndex(this.#arena, hash, limit);
    this.#windowOf = windowOf;
    this.#evicted = evicted;
  }

  /** How many entries there are, and the memory they take. */
  get size(): number {
    return this.#first.size + this.#further.size;
  }

  get limit(): number {
    return this.#firstLimit + this.#furtherLimit;
  }

  get bytes(): number {
    return this.#arena.bytes + this.#index.bytes;
  }

  /** The entry of a source in a sequence, or `noEntry`. */
  find(source: Address, number: number): Entry {
    return this.#index.find(source, number);
  }

  /** A new entry that has done nothing. Others may have to go for it. */
  add(source: Address, number: number, steps: number, windowMs: number, atMicros: number): Entry {
    if (!isMapped(source, 0)) this.#makeRoomInPrefix(source, atMicros);
    if (this.#first.size >= this.#firstLimit) this.#evict(this.#first.oldest, atMicros);
    const entry = this.#arena.allocate(steps);
    const memory = this.#arena.memory(entry);
    const base = this.#arena.base(entry);
    for (let at = 0; at < 4; at++) memory[base + at] = source[at] as number;
    memory[base + word.state] = number << 7;
    forgetIdentities(this.#arena, entry, millisecondsOf(atMicros));
    this.beginAt(entry, atMicros);
    this.#index.add(entry, source, number);
    this.#first.add(entry);
    this.#sweepAtMicros = Math.min(this.#sweepAtMicros, atMicros + (windowMs + lingerMs) * 1000);
    return entry;
  }

  /** How many steps are done. */
  done(entry: Entry): number {
    return this.#state(entry) & doneMask;
  }

  /** Notes how many steps are done now, and moves the entry to the pool where it belongs. */
  setDone(entry: Entry, done: number, atMicros: number): void {
    const state = this.#state(entry);
    this.#arena.memory(entry)[this.#arena.base(entry) + word.state] = (state & ~doneMask) | done;
    if (done >= 2 && (state & furtherBit) === 0) this.#promote(entry, atMicros);
  }

  /** Puts an entry that was thrown back among those at their first step. */
  demote(entry: Entry, atMicros: number): void {
    if ((this.#state(entry) & furtherBit) === 0) return;
    if (this.#first.size >= this.#firstLimit) this.#evict(this.#first.oldest, atMicros);
    this.#further.remove(entry);
    this.#arena.memory(entry)[this.#arena.base(entry) + word.state] = this.#state(entry) ^ furtherBit;
    this.#first.add(entry);
  }

  /** Marks the entry as used now. */
  touch(entry: Entry): void {
    this.#poolOf(entry).touch(entry);
  }

  /** The window begins. */
  beginAt(entry: Entry, atMicros: number): void {
    const memory = this.#arena.memory(entry);
    const base = this.#arena.base(entry);
    memory[base + word.beganLow] = atMicros % 2 ** 32;
    memory[base + word.beganHigh] = Math.floor(atMicros / 2 ** 32);
  }

  /** Microseconds since the window began; negative when time went back. */
  elapsedMicros(entry: Entry, atMicros: number): number {
    const memory = this.#arena.memory(entry);
    const base = this.#arena.base(entry);
    const high = (memory[base + word.beganHigh] as number) | 0;
    return atMicros - (high * 2 ** 32 + (memory[base + word.beganLow] as number));
  }

  /** Whether the packet was accepted before; if so it counts as seen now. */
  recognise(entry: Entry, role: Role, knock: Knock, windowMs: number): boolean {
    return recognise(this.#arena, entry, role, knock, windowMs);
  }

  /** Notes the packet as accepted. */
  remember(entry: Entry, step: number, knock: Knock): void {
    rememberIdentity(this.#arena, entry, step, knock);
  }

  /** Clears away a few entries that are dead. */
  sweep(atMicros: number): void {
    if (atMicros < this.#sweepAtMicros) return;
    this.#sweepAtMicros = Math.min(this.#sweepPool(this.#first, atMicros), this.#sweepPool(this.#further, atMicros));
  }

  /** Throws everything out, uncounted. */
  clear(): void {
    for (const pool of [this.#first, this.#further]) while (pool.oldest !== noEntry) this.remove(pool.oldest);
  }

  /** Sweeps one pool and tells when there may be more to sweep. */
  #sweepPool(pool: RecencyList, atMicros: number): number {
    for (let swept = 0; swept < sweptPerKnock; swept++) {
      if (pool.oldest === noEntry) return Number.POSITIVE_INFINITY;
      const leftMs = this.#livesForMs(pool.oldest, atMicros) + lingerMs;
      if (leftMs > 0) return atMicros + leftMs * 1000;
      this.remove(pool.oldest);
    }
    return atMicros;
  }

  /** How long until nothing that the entry knows matters any more; 0 or less: it is dead. */
  #livesForMs(entry: Entry, atMicros: number): number {
    const windowMs = this.#windowOf(this.#state(entry) >>> 7);
    if (windowMs === undefined) return Number.NEGATIVE_INFINITY;
    return windowMs - idleMilliseconds(this.#arena, entry, millisecondsOf(atMicros));
  }

  #promote(entry: Entry, atMicros: number): void {
    if (this.#further.size >= this.#furtherLimit) this.#evict(this.#further.oldest, atMicros);
    this.#first.remove(entry);
    this.#arena.memory(entry)[this.#arena.base(entry) + word.state] = this.#state(entry) | furtherBit;
    this.#further.add(entry);
  }

  /** Keeps an IPv6 /64 within its bound: its first steps go before those further on, and of these the one begun longest ago. */
  #makeRoomInPrefix(source: Address, atMicros: number): void {
    if (this.#index.ofSamePrefix(source, this.#samePrefix) < entriesPerPrefix) return;
    let victim = this.#samePrefix[0] as Entry;
    for (const entry of this.#samePrefix) {
      const nearer = (this.#state(entry) & furtherBit) - (this.#state(victim) & furtherBit);
      const longer = this.elapsedMicros(entry, atMicros) - this.elapsedMicros(victim, atMicros);
      if (nearer < 0 || (nearer === 0 && longer > 0)) victim = entry;
    }
    this.#evict(victim, atMicros);
  }

  #evict(entry: Entry, atMicros: number): void {
    const alive = this.#livesForMs(entry, atMicros) > 0;
    this.remove(entry);
    if (alive) this.#evicted(1);
  }

  /** Takes an entry out. */
  remove(entry: Entry): void {
    this.#index.remove(entry);
    this.#poolOf(entry).remove(entry);
    this.#arena.release(entry);
  }

  #poolOf(entry: Entry): RecencyList {
    return (this.#state(entry) & furtherBit) === 0 ? this.#first : this.#further;
  }

  #state(entry: Entry): number {
    return this.#arena.memory(entry)[this.#arena.base(entry) + word.state] as number;
  }
}
