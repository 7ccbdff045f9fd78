import { expect, test, vi } from "vitest";
import { type WatchEvent, WatchHub } from "../../../src/observability/watch-hub.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

const one = parseAddress("192.0.2.7") ?? new Uint32Array(4);
const other = parseAddress("2001:db8::7") ?? new Uint32Array(4);
const event: WatchEvent = { time: "2026-01-01T00:00:00.000Z", kind: "advanced" };

test("an event is made only for somebody who wants it", () => {
  const hub = new WatchHub(new FakeClock());
  const make = vi.fn(() => event);
  expect(hub.watched).toBe(false);
  const seen: WatchEvent[] = [];
  const end = hub.subscribe({ source: one }, (shown) => seen.push(shown));
  expect(hub.watched).toBe(true);
  hub.tell(other, make);
  expect(make).not.toHaveBeenCalled();
  hub.tell(one, make);
  expect(seen).toEqual([event]);
  end?.();
  hub.tell(one, make);
  expect(seen).toHaveLength(1);
  expect(hub.watched).toBe(false);
});

test("a flood is counted and told, and does not reach who watches another source", () => {
  const clock = new FakeClock();
  const hub = new WatchHub(clock);
  const everybody: WatchEvent[] = [];
  const single: WatchEvent[] = [];
  hub.subscribe({}, (shown) => everybody.push(shown));
  hub.subscribe({ source: other }, (shown) => single.push(shown));
  for (let knock = 0; knock < 1000; knock++) hub.tell(one, () => event);
  hub.tell(other, () => event);
  expect(everybody).toHaveLength(200);
  expect(single).toHaveLength(1);
  expect(hub.droppedEvents).toBe(801);
  clock.advance(1000);
  expect(everybody.at(-1)).toMatchObject({ kind: "dropped", count: 801 });
  hub.tell(one, () => event);
  expect(everybody).toHaveLength(202);
});

test("watchers are bounded, and one that left makes room", () => {
  const hub = new WatchHub(new FakeClock());
  const ends = Array.from({ length: 16 }, () => hub.subscribe({}, () => undefined));
  expect(hub.subscribe({}, () => undefined)).toBeUndefined();
  ends[0]?.();
  expect(hub.subscribe({}, () => undefined)).toBeDefined();
});

test("a watcher that left during a flood is told nothing more", () => {
  const clock = new FakeClock();
  const hub = new WatchHub(clock);
  const seen: WatchEvent[] = [];
  const end = hub.subscribe({}, (shown) => seen.push(shown));
  for (let knock = 0; knock < 300; knock++) hub.tell(one, () => event);
  end?.();
  clock.advance(2000);
  expect(seen).toHaveLength(200);
  expect(clock.pendingTimers).toBe(0);
});
