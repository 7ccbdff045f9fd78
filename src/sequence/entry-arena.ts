/** An entry's place in the arena, 0 to 2^31 - 1; `noEntry` where there is none. */
export type Entry = number;

/** In place of an entry. */
export const noEntry: Entry = -1;

/**
 * The 32-bit words of an entry. Times since the epoch need 53 bits and are kept in two words; when a packet was last seen
 * needs no more than milliseconds modulo 2^32.
 *
 * | word | holds |
 * |---|---|
 * | 0 to 3 | the source |
 * | 4 | number of the sequence (25 bits), pool (1 bit), steps done (6 bits) |
 * | 5, 6 | when the progress began, microseconds, low and high word |
 * | 7, 8 | the entries used after and before this one, plus one |
 * | 9 and on | for each step two identities, the newer first: TCP sequence number or UDP length and checksum; source port and IP id; when last seen |
 */
export const word = { source: 0, state: 4, beganLow: 5, beganHigh: 6, newer: 7, older: 8, identities: 9 } as const;

/** Words of one identity, and of the two that a step has. */
export const identityWords = 3;
export const stepWords = 2 * identityWords;

/** How many words an entry of a sequence takes. */
export function entryWords(steps: number): number {
  return word.identities + steps * stepWords;
}

const slotBits = 13;
const slotsPerChunk = 1 << slotBits;
const slotMask = slotsPerChunk - 1;

/** The chunks of one width: entries of sequences with as many steps. */
interface Width {
  readonly chunks: number[];
  live: number;
  /** Slots handed out in the last chunk. */
  used: number;
  /** The first entry given back, linked by `word.older`. */
  free: Entry;
}

/**
 * Memory for entries of different widths, taken in chunks of 8,192: growing never copies and never pauses, and one policy
 * with 32 steps does not make the entries of all others wide. When the last entry of a width goes, its chunks but one
 * are given back.
 */
export class EntryArena {
  readonly #chunks: Uint32Array[] = [];
  /** Words per entry, by chunk. */
  #strides = new Uint32Array(16);
  readonly #widths: (Width | undefined)[] = [];
  readonly #spareChunks: number[] = [];

  /** The memory that holds an entry, from `base(entry)` on. */
  memory(entry: Entry): Uint32Array {
    return this.#chunks[entry >>> slotBits] as Uint32Array;
  }

  /** Where in its memory an entry begins. */
  base(entry: Entry): number {
    return (entry & slotMask) * (this.#strides[entry >>> slotBits] as number);
  }

  /** How many steps the entry has room for. */
  steps(entry: Entry): number {
    return ((this.#strides[entry >>> slotBits] as number) - word.identities) / stepWords;
  }

  /** A new entry, its words as they were left by an earlier one. */
  allocate(steps: number): Entry {
    this.#widths[steps] ??= { chunks: [], live: 0, used: slotsPerChunk, free: noEntry };
    const width = this.#widths[steps];
    width.live++;
    if (width.free !== noEntry) {
      const entry = width.free;
      width.free = ((this.memory(entry)[this.base(entry) + word.older] as number) | 0) - 1;
      return entry;
    }
    if (width.used === slotsPerChunk) {
      width.chunks.push(this.#addChunk(entryWords(steps)));
      width.used = 0;
    }
    return ((width.chunks.at(-1) ?? 0) << slotBits) | width.used++;
  }

  /** Takes an entry back. */
  release(entry: Entry): void {
    const width = this.#widths[this.steps(entry)];
    if (width === undefined) return;
    this.memory(entry)[this.base(entry) + word.older] = width.free + 1;
    width.free = entry;
    width.live--;
    if (width.live === 0 && width.chunks.length > 1) this.#shrink(width);
  }

  /** Bytes taken from the system. */
  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  #addChunk(stride: number): number {
    const chunk = this.#spareChunks.pop() ?? this.#chunks.length;
    if (chunk === this.#strides.length) {
      const longer = new Uint32Array(2 * chunk);
      longer.set(this.#strides);
      this.#strides = longer;
    }
    this.#chunks[chunk] = new Uint32Array(stride * slotsPerChunk);
    this.#strides[chunk] = stride;
    return chunk;
  }

  #shrink(width: Width): void {
    for (const chunk of width.chunks.splice(1)) {
      this.#chunks[chunk] = new Uint32Array(0);
      this.#spareChunks.push(chunk);
    }
    width.used = 0;
    width.free = noEntry;
  }
}
