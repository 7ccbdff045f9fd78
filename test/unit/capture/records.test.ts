import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordBytes, writeAlive, writeKnock, writeLosses, writeTraffic } from "../../../src/capture/knock-record.ts";
import { RecordQueue } from "../../../src/capture/record-queue.ts";
import { RecordReader } from "../../../src/capture/record-reader.ts";
import { dropReasons } from "../../../src/decode/knock.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";

/** A reader that writes down what it is told. */
function reading() {
  const told: unknown[] = [];
  const reader = new RecordReader({
    knock: (knock) => told.push({ ...knock, source: [...knock.source], target: [...knock.target] }),
    traffic: (counts) => told.push({ ...counts }),
    discarded: (reason, count) => told.push({ reason, count }),
    ringFull: (count) => told.push({ ringFull: count }),
    alive: (version) => told.push({ alive: version }),
  });
  return { told, reader };
}

function knock(sequenceNumber: number): KnockBuffer {
  const buffer = Object.assign(new KnockBuffer(), {
    atMicros: 12.5,
    stampMicros: 1.7e15,
    port: 7000,
    sourcePort: 65535,
    flags: 2,
    protocol: 6,
    ipId: 9,
    sequenceNumber,
  });
  buffer.source.set([0, 0, 0xffff, 0xc0000201]);
  buffer.target.set([0x20010db8, 0, 0, 0xffffffff]);
  return buffer;
}

/** One record of each kind. */
function sample(): Uint8Array {
  const bytes = new Uint8Array(recordBytes * 4);
  const view = new DataView(bytes.buffer);
  writeKnock(view, 0, knock(0xfffffffe));
  writeTraffic(view, 64, { link: 3, packets: 5_000_000_000, kernelDrops: 2, interfaceDrops: 0 });
  writeLosses(
    view,
    128,
    Uint32Array.from(dropReasons, (_, at) => at % 2),
    4,
  );
  writeAlive(view, 192, 77);
  return bytes;
}

const sampleTold = [
  {
    atMicros: 12.5,
    stampMicros: 1.7e15,
    source: [0, 0, 0xffff, 0xc0000201],
    target: [0x20010db8, 0, 0, 0xffffffff],
    protocol: 6,
    port: 7000,
    sourcePort: 65535,
    flags: 2,
    sequenceNumber: 0xfffffffe,
    ipId: 9,
  },
  { link: 3, packets: 5_000_000_000, kernelDrops: 2, interfaceDrops: 0 },
  ...dropReasons.filter((_, at) => at % 2 === 1).map((reason) => ({ reason, count: 1 })),
  { ringFull: 4 },
  { alive: 77 },
];

describe("records", () => {
  test("come out as they were put in, however the pipe cuts them", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 40 }), (sizes) => {
        const { told, reader } = reading();
        const bytes = sample();
        let at = 0;
        for (const size of [...sizes, bytes.length]) {
          expect(reader.read(bytes.subarray(at, at + size))).toBe("read");
          at = Math.min(at + size, bytes.length);
        }
        expect(told).toEqual(sampleTold);
      }),
    );
  });

  test("arbitrary bytes are garbage or records, never an exception, and nothing is read after garbage", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (chunks) => {
        const { told, reader } = reading();
        const results = chunks.map((chunk) => reader.read(chunk));
        const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        if (total >= recordBytes) expect(results).toContain("garbage");
        expect(told).toEqual([]);
      }),
    );
  });

  test.each([
    { name: "an unknown kind", patch: { at: 60, value: 9 } },
    { name: "a wrong mark", patch: { at: 62, value: 0 } },
    { name: "a time that is no number", patch: { at: 6, value: 0xff, next: 0x7f } },
  ])("$name is garbage, and so is all that follows", ({ patch }) => {
    const { told, reader } = reading();
    const bytes = sample();
    bytes[patch.at] = patch.value;
    if (patch.next !== undefined) bytes[patch.at + 1] = patch.next;
    expect(reader.read(bytes)).toBe("garbage");
    expect(reader.read(sample())).toBe("garbage");
    expect(told).toEqual([]);
  });

  test("a count that is none is garbage", () => {
    const bytes = sample().subarray(64);
    new DataView(bytes.buffer, bytes.byteOffset).setFloat64(8, -1, true);
    expect(reading().reader.read(bytes)).toBe("garbage");
  });
});

describe("the queue", () => {
  /** A pipe that takes so many bytes a call. */
  function queue(capacity: number) {
    const taken: number[] = [];
    const pipe = { room: Number.POSITIVE_INFINITY };
    const made = new RecordQueue(capacity, (bytes) => {
      const count = Math.min(pipe.room, bytes.length);
      taken.push(...bytes.subarray(0, count));
      pipe.room -= count;
      return count;
    });
    const put = (value: number) => {
      const at = made.take();
      if (at >= 0) writeAlive(made.view, at, value);
    };
    const arrived = () => {
      const { told, reader } = reading();
      reader.read(Uint8Array.from(taken));
      return told.map((one) => (one as { alive: number }).alive);
    };
    return { made, pipe, put, arrived };
  }

  test("keeps the order over its end, also when the pipe takes half a record", () => {
    const { made, pipe, put, arrived } = queue(4);
    for (let value = 0; value < 40; value += 2) {
      put(value);
      put(value + 1);
      pipe.room = 100;
      expect(made.flush()).toBe(false);
      pipe.room = 1000;
      expect(made.flush()).toBe(true);
    }
    expect(arrived()).toEqual(Array.from({ length: 40 }, (_, at) => at));
  });

  test("has no room for the newest when it is full", () => {
    const { made, pipe, put, arrived } = queue(4);
    pipe.room = 0;
    for (let value = 0; value < 7; value++) put(value);
    expect(made.waiting).toBe(4);
    expect(made.take()).toBe(-1);
    pipe.room = 1000;
    made.flush();
    expect(arrived()).toEqual([0, 1, 2, 3]);
  });
});
