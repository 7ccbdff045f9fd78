import { type Entry, type EntryArena, noEntry, word } from "./entry-arena.ts";

/** Entries in the order they were last used, linked through the entries themselves. An entry is in one list at most. */
export class RecencyList {
  readonly #arena: EntryArena;
  #newest: Entry = noEntry;
  #oldest: Entry = noEntry;
  #size = 0;

  constructor(arena: EntryArena) {
    this.#arena = arena;
  }

  get size(): number {
    return this.#size;
  }

  /** The entry used longest ago. */
  get oldest(): Entry {
    return this.#oldest;
  }

  /** Puts an entry that is in no list at the front. */
  add(entry: Entry): void {
    this.#write(entry, word.newer, noEntry);
    this.#write(entry, word.older, this.#newest);
    if (this.#newest === noEntry) this.#oldest = entry;
    else this.#write(this.#newest, word.newer, entry);
    this.#newest = entry;
    this.#size++;
  }

  /** Takes an entry of this list out. */
  remove(entry: Entry): void {
    const newer = this.#read(entry, word.newer);
    const older = this.#read(entry, word.older);
    if (newer === noEntry) this.#newest = older;
    else this.#write(newer, word.older, older);
    if (older === noEntry) this.#oldest = newer;
    else this.#write(older, word.newer, newer);
    this.#size--;
  }

  /** Brings an entry of this list to the front. */
  touch(entry: Entry): void {
    if (entry === this.#newest) return;
    this.remove(entry);
    this.add(entry);
  }

  #read(entry: Entry, at: number): Entry {
    return ((this.#arena.memory(entry)[this.#arena.base(entry) + at] as number) | 0) - 1;
  }

  #write(entry: Entry, at: number, value: Entry): void {
    this.#arena.memory(entry)[this.#arena.base(entry) + at] = value + 1;
  }
}
