import { test } from "vitest";
import { matcherFigures } from "./matcher.ts";
import { oddsReport } from "./odds.ts";

test("knocks a second, and the memory for a source", () => {
  console.table(matcherFigures());
});

test("how often scans in random order and in order open a door", () => {
  const { random, ordered } = oddsReport();
  console.table(random);
  console.table(ordered);
});
