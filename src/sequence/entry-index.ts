import type { Address } from "../policy/address.ts";
import { type Entry, type EntryArena, noEntry, word } from "./entry-arena.ts";
import type { SourceHash } from "./source-hash.ts";

/** The number of a sequence in the table: 25 bits. */
export const sequenceNumberLimit = 1 << 25;

/** The word that holds the number, without the lower bits. */
const numberShift = 7;

/**
 * Finds entries by source and sequence: open addressing with linear probing, at most two thirds full, deletion by shifting
 * back. A slot holds the entry plus one and its hash. All entries of one IPv6 /64 begin at the same slot, so that they
 * can be counted. The slots are allocated once; the system gives memory to those that are used.
 */
export class EntryIndex {
  readonly #arena: EntryArena;
  readonly #hash: SourceHash;
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(arena: EntryArena, hash: SourceHash, limit: number) {
    this.#arena = arena;
    this.#hash = hash;
    const size = 2 ** Math.ceil(Math.log2(Math.max(16, limit * 1.5)));
    this.#slots = new Int32Array(2 * size);
    this.#mask = size - 1;
  }

  /** Bytes reserved. */
  get bytes(): number {
    return this.#slots.byteLength;
  }

  /** The entry of a source in a sequence, or `noEntry`. */
  find(source: Address, number: number): Entry {
    const hash = this.#hashOf(source, 0, number);
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = (this.#slots[2 * slot] as number) - 1;
      if (entry === noEntry) return noEntry;
      if (this.#slots[2 * slot + 1] === hash && this.#holds(entry, source, number)) return entry;
    }
  }

  /** Adds an entry that is not there; there is always room, because the tables are bounded by the same limit. */
  add(entry: Entry, source: Address, number: number): void {
    const hash = this.#hashOf(source, 0, number);
    let slot = hash & this.#mask;
    while (this.#slots[2 * slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[2 * slot] = entry + 1;
    this.#slots[2 * slot + 1] = hash;
  }

  /** Takes an entry out and closes the gap, so that no probe ends too early. */
  remove(entry: Entry): void {
    const memory = this.#arena.memory(entry);
    const base = this.#arena.base(entry);
    const number = (memory[base + word.state] as number) >>> numberShift;
    let gap = this.#hashOf(memory, base, number) & this.#mask;
    while (this.#slots[2 * gap] !== entry + 1) gap = (gap + 1) & this.#mask;
    for (let slot = (gap + 1) & this.#mask; this.#slots[2 * slot] !== 0; slot = (slot + 1) & this.#mask) {
      const home = (this.#slots[2 * slot + 1] as number) & this.#mask;
      if (((slot - home) & this.#mask) < ((slot - gap) & this.#mask)) continue;
      this.#slots[2 * gap] = this.#slots[2 * slot] as number;
      this.#slots[2 * gap + 1] = this.#slots[2 * slot + 1] as number;
      gap = slot;
    }
    this.#slots[2 * gap] = 0;
  }

  /** Writes the entries of the same IPv6 /64 into `into`, until it is full, and tells how many there are. */
  ofSamePrefix(source: Address, into: Int32Array): number {
    let count = 0;
    for (let slot = this.#hashOf(source, 0, 0) & this.#mask; count < into.length; slot = (slot + 1) & this.#mask) {
      const entry = (this.#slots[2 * slot] as number) - 1;
      if (entry === noEntry) break;
      const memory = this.#arena.memory(entry);
      const base = this.#arena.base(entry);
      if (memory[base] === source[0] && memory[base + 1] === source[1] && !isMapped(memory, base))
        into[count++] = entry;
    }
    return count;
  }

  /** The hash of the address that begins at a word, and a sequence. */
  #hashOf(words: Uint32Array, at: number, number: number): number {
    const last = words[at + 3] as number;
    if (isMapped(words, at)) return this.#hash.of(last, number, 0xffff);
    const prefix = this.#hash.of(words[at] as number, words[at + 1] as number, 64);
    return (prefix & this.#mask) | (this.#hash.of(words[at + 2] as number, last, number) & ~this.#mask);
  }

  #holds(entry: Entry, source: Address, number: number): boolean {
    const memory = this.#arena.memory(entry);
    const base = this.#arena.base(entry);
    return (
      memory[base + 3] === source[3] &&
      memory[base + 2] === source[2] &&
      memory[base + 1] === source[1] &&
      memory[base] === source[0] &&
      (memory[base + word.state] as number) >>> numberShift === number
    );
  }
}

/** Whether the words are an IPv4 address in its mapped form. */
export function isMapped(words: Uint32Array, at: number): boolean {
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
}
