import { expect, test } from "vitest";
import { RecentPackets } from "../../../src/capture/recent-packets.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";

function knock(parts: Partial<Omit<KnockBuffer, "source" | "target">> & { source?: number } = {}): KnockBuffer {
  const { source = 1, ...rest } = parts;
  const buffer = Object.assign(
    new KnockBuffer(),
    { port: 7000, sourcePort: 40000, protocol: 6, stampMicros: 1e15 },
    rest,
  );
  buffer.source.set([0, 0, 0xffff, source]);
  return buffer;
}

test.each([
  { name: "the same stamp", second: {}, repeat: true },
  { name: "another tap's stamp", second: { stampMicros: 1e15 + 35 }, repeat: true },
  { name: "an earlier stamp that comes later", second: { stampMicros: 1e15 - 35 }, repeat: true },
  { name: "a retransmission", second: { stampMicros: 1e15 + 1_000_000 }, repeat: false },
  { name: "two milliseconds later", second: { stampMicros: 1e15 + 2000 }, repeat: false },
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
  const packets = Array.from({ length: 5000 }, (_, at) => knock({ sequenceNumber: at, stampMicros: 1e15 + at * 20 }));
  expect(packets.filter((packet) => recent.isRepeat(packet))).toHaveLength(0);
  expect(packets.filter((packet) => recent.isRepeat(packet))).toHaveLength(5000);
});
