import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ServerClock } from "../../../src/kubernetes/server-clock.ts";

/** An answer of a server whose clock is `offset` ahead: asked for at `sent`, stamped and received so much later. */
function hear(clock: ServerClock, offset: number, sent: number, stampedAfter = 0, receivedAfter = stampedAfter): void {
  const date = Math.floor((sent + stampedAfter + offset) / 1e6) * 1e6;
  clock.observe(date, sent, sent + receivedAfter);
}

const offset = 1_700_000_000_400_000;

describe("the server's clock", () => {
  test("is not known before an answer", () => {
    const clock = new ServerClock();
    expect([clock.at(5), clock.errorMicros(5), clock.nextSecondMicros(5)]).toEqual([undefined, Infinity, 0]);
  });

  test("is known to half a second after one", () => {
    const clock = new ServerClock();
    hear(clock, offset, 1e6);
    expect(clock.errorMicros(1e6)).toBe(500_000);
    expect(Math.abs((clock.at(1e6) ?? 0) - (1e6 + offset))).toBeLessThanOrEqual(500_000);
  });

  test("is known to a hundredth after six, each asked for when the second is about to change", () => {
    const clock = new ServerClock();
    let now = 1e6;
    for (let look = 0; look < 7; look++) {
      hear(clock, offset, now);
      now += clock.nextSecondMicros(now);
    }
    expect(clock.errorMicros(now)).toBeLessThan(10_000);
    expect(Math.abs((clock.at(now) ?? 0) - (now + offset))).toBeLessThan(10_000);
  });

  test("is known less well with time, and never worse than by one more answer", () => {
    const clock = new ServerClock();
    hear(clock, offset, 1e6);
    expect(clock.errorMicros(601e6)).toBe(620_000);
    hear(clock, offset, 601e6);
    expect(clock.errorMicros(601e6)).toBeLessThanOrEqual(500_000);
  });

  test("that somebody has set is known by the newest answer alone", () => {
    const clock = new ServerClock();
    hear(clock, offset, 1e6);
    hear(clock, offset + 300e6, 2e6);
    expect(Math.abs((clock.at(2e6) ?? 0) - (2e6 + offset + 300e6))).toBeLessThanOrEqual(500_000);
  });

  test("is never further away than it says, whatever the way of the answers takes", () => {
    const answer = fc.record({ gap: fc.nat(5e6), stampedAfter: fc.nat(400_000), back: fc.nat(400_000) });
    const answers = fc.array(answer, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(answers, fc.nat(999_999), (list, fraction) => {
        const clock = new ServerClock();
        let now = 0;
        for (const { gap, stampedAfter, back } of list) {
          now += gap;
          hear(clock, offset + fraction, now, stampedAfter, stampedAfter + back);
          now += stampedAfter + back;
          const wrong = Math.abs((clock.at(now) ?? 0) - (now + offset + fraction));
          expect(wrong).toBeLessThanOrEqual(clock.errorMicros(now) + 1);
        }
      }),
    );
  });
});
