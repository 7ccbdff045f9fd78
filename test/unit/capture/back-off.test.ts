import { expect, test } from "vitest";
import { BackOff } from "../../../src/capture/back-off.ts";

test("waits double up to ten seconds, and begin anew after a long life", () => {
  const backOff = new BackOff();
  const waits = Array.from({ length: 9 }, () => backOff.after(1000));
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  expect(backOff.after(30_000_000)).toBe(100);
});
