import { expect, test } from "vitest";
import { ChildOutbox } from "../../../src/capture/child-outbox.ts";
import { RecordReader } from "../../../src/capture/record-reader.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";
import { FakeClock } from "../../fake/fake-clock.ts";

/** More than the queue has room for. */
const many = 200_000;

/** An outbox before a pipe that is full, and what comes out of it when it is no more. */
function blocked() {
  const told = { knocks: 0, packets: 0, alive: 0, ringFull: 0 };
  const reader = new RecordReader({
    knock: () => told.knocks++,
    alive: () => told.alive++,
    ringFull: (count) => {
      told.ringFull += count;
    },
    traffic: ({ packets }) => {
      told.packets += packets;
    },
    discarded: () => undefined,
  });
  let isFull = true;
  const outbox = new ChildOutbox((bytes) => {
    if (isFull) return 0;
    expect(reader.read(bytes)).toBe("read");
    return bytes.length;
  }, new FakeClock());
  const unblock = () => {
    isFull = false;
    outbox.flush();
  };
  return { outbox, told, unblock };
}

test("every knock arrives or is counted; counts and signs of life find room when there is none for knocks", () => {
  const { outbox, told, unblock } = blocked();
  const knock = new KnockBuffer();
  for (let at = 0; at < many; at++) outbox.knock(knock);
  outbox.counts([{ takeCounts: () => ({ link: 0, packets: many, kernelDrops: 0, interfaceDrops: 0 }) }]);
  for (let at = 0; at < 10; at++) outbox.alive(1);
  unblock();
  expect(told.ringFull).toBeGreaterThan(0);
  expect(told.knocks + told.ringFull).toBe(many);
  expect([told.packets, told.alive]).toEqual([many, 10]);
  expect(outbox.waiting).toBe(0);
});

test("an agent that stands still for half a second at 100,000 knocks a second misses none", () => {
  const { outbox, told, unblock } = blocked();
  const knock = new KnockBuffer();
  for (let at = 0; at < 50_000; at++) outbox.knock(knock);
  unblock();
  outbox.counts([]);
  outbox.flush();
  expect(told).toEqual({ knocks: 50_000, packets: 0, alive: 0, ringFull: 0 });
});

test("records without end that find no room are bounded too", () => {
  const { outbox, told, unblock } = blocked();
  for (let at = 0; at < many; at++) outbox.alive(1);
  unblock();
  expect(told.alive).toBeLessThan(many);
  outbox.alive(1);
  outbox.flush();
  expect(outbox.waiting).toBe(0);
});
