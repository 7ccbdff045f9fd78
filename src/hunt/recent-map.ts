/**
 * A map that forgets what was not used for longest, in fixed memory: two generations, and what is found in the old one moves
 * to the young one. Holds at least `capacity` of the entries used last and at most twice as many.
 */
export class RecentMap<Value> {
  readonly #capacity: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  #forgotten = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many entries had to go. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#add(key, old);
    return old;
  }

  /** The entry, made where there is none. */
  getOrMake(key: string, make: () => Value): Value {
    const known = this.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#add(key, made);
    return made;
  }

  /** All that is remembered, without counting as use. */
  *values(): Iterable<Value> {
    yield* this.#old.values();
    yield* this.#young.values();
  }

  #add(key: string, value: Value): void {
    if (this.#young.size >= this.#capacity) {
      this.#forgotten += this.#old.size;
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
