import { expect, test } from "vitest";
import { StampClock } from "../../../src/capture/stamp-clock.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

test("a stamp becomes the monotonic time of the same moment", () => {
  const clock = new FakeClock();
  const stamps = new StampClock(clock);
  clock.advance(5000);
  expect(stamps.monotonic(clock.wallMicros() - 300)).toBe(clock.nowMicros() - 300);
});

test("a step of the wall clock is followed after a second at most", () => {
  const clock = new FakeClock();
  const stamps = new StampClock(clock);
  clock.wallOffsetMicros -= 3600e6;
  stamps.refresh(clock.nowMicros());
  expect(stamps.monotonic(clock.wallMicros())).toBe(clock.nowMicros() - 3600e6);
  clock.advance(1000);
  stamps.refresh(clock.nowMicros());
  expect(stamps.monotonic(clock.wallMicros())).toBe(clock.nowMicros());
});

test("noise of the reading moves nothing", () => {
  const clock = new FakeClock();
  const stamps = new StampClock(clock);
  clock.wallOffsetMicros += 900;
  clock.advance(1500);
  stamps.refresh(clock.nowMicros());
  expect(stamps.monotonic(clock.wallMicros())).toBe(clock.nowMicros() + 900);
});
