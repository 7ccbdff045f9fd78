import fc from "fast-check";
import { expect, test } from "vitest";
import { noEntry } from "../../src/sequence/entry-arena.ts";
import { ProgressTable } from "../../src/sequence/progress-table.ts";
import { SourceHash } from "../../src/sequence/source-hash.ts";

const windowMs = 15_000;

interface Kept {
  readonly source: Uint32Array;
  readonly number: number;
  done: number;
}

const change = fc.record({
  six: fc.boolean(),
  prefix: fc.nat(1),
  host: fc.nat(40),
  number: fc.nat(2),
  done: fc.nat(3),
  pauseMs: fc.constantFrom(0, 1, 1000, 20_000, 80_000),
});

/** A table, and beside it everything that was put in. */
class WatchedTable {
  readonly kept = new Map<string, Kept>();
  readonly #table: ProgressTable;
  #atMicros = 1_000_000_000;

  constructor(limit: number, seed: number) {
    this.#table = new ProgressTable(
      limit,
      new SourceHash(seed),
      () => windowMs,
      () => {},
    );
  }

  apply({ six, prefix, host, number, done, pauseMs }: typeof change extends fc.Arbitrary<infer T> ? T : never): void {
    this.#atMicros += pauseMs * 1000;
    this.#table.sweep(this.#atMicros);
    const source = six ? Uint32Array.of(0x20010db8, prefix, 0, host) : Uint32Array.of(0, 0, 0xffff, host);
    const found = this.#table.find(source, number);
    const entry = found === noEntry ? this.#table.add(source, number, 3, windowMs, this.#atMicros) : found;
    if (found !== noEntry) this.#table.demote(entry, this.#atMicros);
    this.#table.setDone(entry, done, this.#atMicros);
    this.kept.set(`${source} ${number}`, { source, number, done });
  }

  /** How many of those put in are still there; each as it was left. */
  stillThere(): number {
    let count = 0;
    for (const { source, number, done } of this.kept.values()) {
      const entry = this.#table.find(source, number);
      if (entry === noEntry) continue;
      expect(this.#table.done(entry)).toBe(done);
      count++;
    }
    return count;
  }

  get size(): number {
    return this.#table.size;
  }

  clear(): void {
    this.#table.clear();
  }
}

test("every entry that has not gone is found again, and as it was left", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 30 }),
      fc.nat(),
      fc.array(change, { maxLength: 200 }),
      (limit, seed, changes) => {
        const table = new WatchedTable(limit, seed);
        for (const one of changes) {
          table.apply(one);
          expect(table.size).toBeLessThanOrEqual(limit);
          expect(table.stillThere()).toBe(table.size);
        }
        table.clear();
        expect([table.size, table.stillThere()]).toEqual([0, 0]);
      },
    ),
    { numRuns: 150 },
  );
});
