import { expect, test } from "vitest";
import { LogClock } from "../../../src/capture/log-clock.ts";

const second = 1e6;

test("stamps, not arrivals, tell how far two lines lie apart", () => {
  const clock = new LogClock();
  clock.monotonic(100 * second, 5000 * second); // the least delay so far
  expect(clock.monotonic(101 * second, 5002.5 * second)).toBe(5001 * second);
  expect(clock.monotonic(102 * second, 5002.5 * second)).toBe(5002 * second);
});

test("a line never comes from the future, and a shorter delay sets the others right", () => {
  const clock = new LogClock();
  expect(clock.monotonic(100 * second, 5001 * second)).toBe(5001 * second);
  expect(clock.monotonic(101 * second, 5001.5 * second)).toBe(5001.5 * second);
  expect(clock.monotonic(102 * second, 5003 * second)).toBe(5002.5 * second);
});

test("lines older than what was read are refused, save for a little disorder", () => {
  const clock = new LogClock();
  clock.monotonic(100 * second, 5000 * second);
  expect(clock.monotonic(98.5 * second, 5000.1 * second)).toBeDefined();
  expect(clock.monotonic(97.9 * second, 5000.2 * second)).toBeUndefined();
  expect(clock.monotonic(100.1 * second, 5000.3 * second)).toBeDefined();
});

test("printk's clock may drift for months", () => {
  const clock = new LogClock();
  let at = 0;
  for (let minute = 0; minute < 60 * 24 * 60; minute++) {
    const now = 5000 * second + minute * 60 * second;
    at = now - (clock.monotonic(minute * 60 * second * 0.9999, now) ?? 0);
  }
  expect(at).toBeLessThan(0.02 * second);
});

test("no line is taken for older than two seconds, however the clocks went apart", () => {
  const clock = new LogClock();
  clock.monotonic(100 * second, 5000 * second);
  expect(clock.monotonic(101 * second, 9000 * second)).toBe(8998 * second);
});
