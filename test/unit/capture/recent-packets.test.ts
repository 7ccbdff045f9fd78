import { expect, test } from "vitest";
import { RecentPackets } from "../../../src/capture/recent-packets.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";

function knock(parts: Partial<Omit<KnockBuffer, "source" | "target">> & { source?: number } = {}): KnockBuffer {
  const { source = 1, ...rest } = parts;
  const buffer = Object.assign(
    new KnockBuffer(),
    { port: 7000, sourcePort: 40000, protocol: 6, stampMicros: 1e15, atMicros: 1e9 },
    rest,
  );
  buffer.source.set([0, 0, 0xffff, source]);
  return buffer;
}

const hour = 3600e6;

/** Stamped so many microseconds after the first. */
const later = (micros: number) => ({ stampMicros: 1e15 + micros, atMicros: 1e9 + micros });

test.each([
  { name: "the same stamp", second: {}, repeat: true },
  { name: "another tap's stamp", second: later(35), repeat: true },
  { name: "an earlier stamp that comes later", second: later(-35), repeat: true },
  { name: "a retransmission", second: later(1_000_000), repeat: false },
  { name: "two milliseconds later", second: later(2000), repeat: false },
  {
    name: "another tap's stamp after the clock was set",
    second: { ...later(35), stampMicros: 1e15 - hour },
    repeat: true,
  },
  { name: "the same stamp that another child gives another time", second: { atMicros: 1e9 + 20_000 }, repeat: true },
  { name: "another source", second: { source: 2 }, repeat: false },
  { name: "another port", second: { port: 7001 }, repeat: false },
  { name: "another source port", second: { sourcePort: 40001 }, repeat: false },
  { name: "another protocol", second: { protocol: 17 }, repeat: false },
  { name: "another sequence number", second: { sequenceNumber: 5 }, repeat: false },
  { name: "another IP id", second: { ipId: 5 }, repeat: false },
])("$name: $repeat", ({ second, repeat }) => {
  const recent = new RecentPackets(7);
  expect(recent.isRepeat(knock())).toBe(false);
  expect(recent.isRepeat(knock(second))).toBe(repeat);
});

test("what two children have captured of 5,000 packets is joined, one child after the other", () => {
  const recent = new RecentPackets(7);
  const packets = Array.from({ length: 5000 }, (_, at) => knock({ sequenceNumber: at, ...later(at * 20) }));
  expect(packets.filter((packet) => recent.isRepeat(packet))).toHaveLength(0);
  expect(packets.filter((packet) => recent.isRepeat(packet))).toHaveLength(5000);
});

test.each([
  { name: "ahead", set: hour },
  { name: "back", set: -hour },
])("the same after many others, when somebody has set the clock an hour $name", ({ set }) => {
  const recent = new RecentPackets(7);
  for (let at = 0; at < 200_000; at++) recent.isRepeat(knock({ sequenceNumber: at, ...later(at * 10) }));
  const packets = Array.from({ length: 5000 }, (_, at) => {
    const { stampMicros, atMicros } = later(2_000_000 + at * 20);
    return knock({ sequenceNumber: at, stampMicros: stampMicros + set, atMicros });
  });
  expect(packets.filter((packet) => recent.isRepeat(packet))).toHaveLength(0);
  expect(packets.filter((packet) => recent.isRepeat(packet))).toHaveLength(5000);
});
