/** The length of what is hashed, three words, as HalfSipHash puts it into the top byte of its last word. */
const lengthWord = 12 << 24;

/**
 * A keyed hash of three 32-bit words: HalfSipHash-1-3, which the Linux kernel uses for its own hash tables
 * (`hsiphash`, include/linux/siphash.h). Whoever does not know the key cannot choose sources that collide.
 */
export class SourceHash {
  readonly #key0: number;
  readonly #key1: number;

  /** @param seed makes the hash predictable, for tests; without it the key is random. */
  constructor(seed?: number) {
    const random = crypto.getRandomValues(new Uint32Array(2));
    this.#key0 = (seed ?? random[0] ?? 0) | 0;
    this.#key1 = seed === undefined ? (random[1] ?? 0) | 0 : ~seed;
  }

  /** 32 bits, signed. */
  of(first: number, second: number, third: number): number {
    // The words wait in a row of variables: three, the length, then nothing for the three rounds that end it.
    let [word, next, last, length] = [first | 0, second | 0, third | 0, lengthWord];
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = this.#key0 ^ 0x6c796765;
    let v3 = this.#key1 ^ 0x74656462;
    for (let round = 0; round < 7; round++) {
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (round === 3) v2 ^= 0xff;
      word = next;
      next = last;
      last = length;
      length = 0;
    }
    return v1 ^ v3;
  }
}
