import { expect, test } from "vitest";
import { SourceHash } from "../../../src/sequence/source-hash.ts";

// From an implementation written apart from ours, which gives the published value for HalfSipHash-2-4 of the empty message.
test("is HalfSipHash-1-3 of three words", () => {
  expect(new SourceHash(5).of(1, 2, 3) >>> 0).toBe(3706376199);
});

test("without a seed is another in every table", () => {
  const values = new Set(Array.from({ length: 20 }, () => new SourceHash().of(1, 2, 3)));
  expect(values.size).toBeGreaterThan(15);
});

test("spreads neighbouring addresses over all slots", () => {
  const hash = new SourceHash(1);
  const slots = new Set(Array.from({ length: 4096 }, (_, at) => hash.of(0xc6336400 + at, 0, 0xffff) & 4095));
  expect(slots.size).toBeGreaterThan(2400); // 63 % for a random function
});
