import { describe, expect, test } from "vitest";
import { StampClock } from "../../../src/capture/stamp-clock.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

test("a stamp becomes the monotonic time of the same moment", () => {
  const clock = new FakeClock();
  const stamps = new StampClock(clock);
  clock.advance(5000);
  expect(stamps.monotonic(clock.wallMicros() - 300)).toBe(clock.nowMicros() - 300);
});

const hourMicros = 3600e6;

describe.each([
  { name: "ahead", hours: 1 },
  { name: "back", hours: -1 },
])("when somebody sets the clock an hour $name", ({ hours }) => {
  test("a packet stamped after that keeps its time at once", () => {
    const clock = new FakeClock();
    const stamps = new StampClock(clock);
    clock.wallOffsetMicros += hours * hourMicros;
    clock.advance(10);
    expect(stamps.monotonic(clock.wallMicros() - 300)).toBe(clock.nowMicros() - 300);
  });

  test.each([
    { what: "before any other", seenOthers: false },
    { what: "after others that were stamped later", seenOthers: true },
  ])("a packet stamped before and read $what keeps its time too", ({ seenOthers }) => {
    const clock = new FakeClock();
    const stamps = new StampClock(clock);
    const [stamp, at] = [clock.wallMicros(), clock.nowMicros()];
    clock.advance(10);
    clock.wallOffsetMicros += hours * hourMicros;
    if (seenOthers) stamps.monotonic(clock.wallMicros());
    expect(stamps.monotonic(stamp)).toBe(at);
  });

  test("and back again a moment later, packets of all three times keep theirs", () => {
    const clock = new FakeClock();
    const stamps = new StampClock(clock);
    for (const change of [0, hours, -hours]) {
      clock.wallOffsetMicros += change * hourMicros;
      clock.advance(100);
      expect(stamps.monotonic(clock.wallMicros())).toBe(clock.nowMicros());
    }
  });
});

test("a packet that was read late keeps its time where nobody has set the clock", () => {
  const clock = new FakeClock();
  const stamps = new StampClock(clock);
  const [stamp, at] = [clock.wallMicros(), clock.nowMicros()];
  clock.advance(30_000);
  expect(stamps.monotonic(stamp)).toBe(at);
});

test("a small step is followed after a second at most", () => {
  const clock = new FakeClock();
  const stamps = new StampClock(clock);
  clock.wallOffsetMicros -= 500_000;
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
