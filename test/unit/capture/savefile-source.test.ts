import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { CaptureError } from "../../../src/capture/capture-error.ts";
import { SavefileReader } from "../../../src/capture/savefile-reader.ts";
import { SavefileSource } from "../../../src/capture/savefile-source.ts";
import { CaptureRecord } from "../../fake/capture-record.ts";
import { cookedOne, cookedTwo, ethernet, framed, packet } from "../../fixture/capture-frames.ts";
import { knockText, watchOf } from "../../fixture/capture-watch.ts";

const folder = mkdtempSync(join(tmpdir(), "kg-savefile-unit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Form {
  readonly big?: boolean;
  readonly nanos?: boolean;
  readonly linkType?: number;
}

/** A pcap file, each frame one second and 250,000 µs later. */
function pcap(frames: readonly Uint8Array[], { big = false, nanos = false, linkType = 1 }: Form = {}): Buffer {
  const header = Buffer.alloc(24);
  const word = (to: Buffer, value: number, at: number) =>
    big ? to.writeUInt32BE(value, at) : to.writeUInt32LE(value, at);
  word(header, nanos ? 0xa1b23c4d : 0xa1b2c3d4, 0);
  word(header, linkType, 20);
  const packets = frames.flatMap((frame, at) => {
    const head = Buffer.alloc(16);
    word(head, 1000 + at, 0);
    word(head, nanos ? 250_000_999 : 250_000, 4);
    word(head, frame.length, 8);
    word(head, frame.length, 12);
    return [head, Buffer.from(frame)];
  });
  return Buffer.concat([header, ...packets]);
}

async function replay(bytes: Uint8Array) {
  const path = join(folder, "file.pcap");
  writeFileSync(path, bytes);
  const record = new CaptureRecord();
  const source = new SavefileSource(path, record);
  const knocks: string[] = [];
  await source.start(watchOf(["7000/tcp"], "everything"), (knock) =>
    knocks.push(`${knock.atMicros} ${knockText(knock)}`),
  );
  await source.finished;
  return { knocks, record };
}

const expected = [
  "1000250000 192.0.2.1:40000 > 192.0.2.10:7000/tcp",
  "1001250000 192.0.2.1:40001 > 192.0.2.10:7000/tcp",
];
const two = [packet(), packet({ sourcePort: 40001 })];

describe("a savefile", () => {
  test.each([
    { name: "microseconds, little endian", form: {} },
    { name: "microseconds, big endian", form: { big: true } },
    { name: "nanoseconds, little endian", form: { nanos: true } },
    { name: "nanoseconds, big endian", form: { nanos: true, big: true } },
  ])("is read in $name", async ({ form }) => {
    expect(
      (
        await replay(
          pcap(
            two.map((ip) => ethernet(ip)),
            form,
          ),
        )
      ).knocks,
    ).toEqual(expected);
  });

  test.each([
    { linkType: 0, frame: (ip: number[]) => framed("loopback", ip) },
    { linkType: 12, frame: (ip: number[]) => framed("raw-ip", ip) },
    { linkType: 14, frame: (ip: number[]) => framed("raw-ip", ip) },
    { linkType: 101, frame: (ip: number[]) => framed("raw-ip", ip) },
    { linkType: 108, frame: (ip: number[]) => framed("loopback", ip) },
    { linkType: 113, frame: (ip: number[]) => cookedOne(ip) },
    { linkType: 276, frame: (ip: number[]) => cookedTwo(ip) },
  ])("of link type $linkType is read", async ({ linkType, frame }) => {
    expect((await replay(pcap(two.map(frame), { linkType }))).knocks).toEqual(expected);
  });

  test("that ends within a packet gives what is whole", async () => {
    const whole = pcap(two.map((ip) => ethernet(ip)));
    expect((await replay(whole.subarray(0, whole.length - 1))).knocks).toEqual(expected.slice(0, 1));
  });

  test("counts what it drops", async () => {
    const frames = [
      ethernet(packet({ port: 7001 })),
      ethernet(packet(), [], 0x0806),
      ethernet(packet()).subarray(0, 20),
    ];
    const { knocks, record } = await replay(pcap(frames));
    expect([knocks, record.discards, record.counts]).toEqual([
      [],
      { "not-watched": 1, "not-ip": 1, truncated: 1 },
      { "file.pcap": 3 },
    ]);
  });

  test.each([
    { name: "nothing", bytes: Buffer.alloc(0), code: "savefile-format" },
    { name: "text", bytes: Buffer.from("no capture at all, but text"), code: "savefile-format" },
    { name: "pcapng", bytes: Buffer.from([0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0]), code: "savefile-pcapng" },
    { name: "an unknown link type", bytes: pcap([], { linkType: 127 }), code: "savefile-link-type" },
    { name: "a packet of four GiB", bytes: Buffer.concat([pcap([]), Buffer.alloc(16, 0xff)]), code: "savefile-format" },
  ])("of $name is refused with a sentence", async ({ bytes, code }) => {
    await expect(replay(bytes)).rejects.toMatchObject({ name: "CaptureError", code });
  });

  test("that is not there is refused at the start", async () => {
    const source = new SavefileSource(join(folder, "none.pcap"), new CaptureRecord());
    await expect(source.start(watchOf([]), () => {})).rejects.toMatchObject({ code: "savefile-unreadable" });
    await source.close();
  });

  test("can be closed while it is read, and a new watch holds from then on", async () => {
    const path = join(folder, "long.pcap");
    writeFileSync(path, pcap(Array.from({ length: 20_000 }, (_, at) => ethernet(packet({ sequenceNumber: at })))));
    const source = new SavefileSource(path, new CaptureRecord());
    let knocks = 0;
    await source.start(watchOf(["7000/tcp"], "everything"), () => {
      if (++knocks === 10) void source.update(watchOf(["1/tcp"], "everything"));
    });
    await source.finished;
    expect(knocks).toBe(10);
    await source.close();
    await source.close();
  });
});

describe("the reader", () => {
  test("gives the same frames however the file is cut", () => {
    const bytes = pcap(two.map((ip) => ethernet(ip)));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 30 }), (sizes) => {
        const reader = new SavefileReader("x");
        const lengths: number[] = [];
        let at = 0;
        for (const size of [...sizes, bytes.length]) {
          reader.read(bytes.subarray(at, at + size), (frame) => lengths.push(frame.bytes.length));
          at = Math.min(bytes.length, at + size);
        }
        expect(lengths).toEqual([54, 54]);
      }),
    );
  });

  test("refuses arbitrary bytes with a CaptureError or reads them", () => {
    const begins = fc.constantFrom(Buffer.alloc(0), pcap([]), pcap([], { big: true }));
    fc.assert(
      fc.property(begins, fc.uint8Array({ maxLength: 300 }), (begin, bytes) => {
        try {
          new SavefileReader("x").read(Buffer.concat([begin, bytes]), (frame) =>
            expect(frame.bytes.length).toBeLessThanOrEqual(256),
          );
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
      }),
    );
  });
});
