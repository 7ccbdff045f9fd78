import { expect, test } from "vitest";
import { tellPart, tellProgress } from "./bench-results.ts";
import { matcherPart } from "./matcher.ts";

test("how many knocks the matcher takes, and what a source costs", () => {
  tellProgress("matcher: runs of two million knocks");
  const part = matcherPart();
  tellPart(part);
  expect(part.rows.length).toBeGreaterThan(0);
});
