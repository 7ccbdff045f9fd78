import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrame, decodePacket } from "../../src/decode/decode.ts";
import type { LinkType } from "../../src/decode/frame.ts";
import { dropReasons } from "../../src/decode/knock.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";
import { ethernet, framed, packet } from "../fixture/capture-frames.ts";

const linkTypes = fc.constantFrom<LinkType>("ethernet", "linux-cooked-v1", "linux-cooked-v2", "raw-ip", "loopback");

function decode(bytes: Uint8Array, linkType: LinkType) {
  const knock = new KnockBuffer();
  return { dropped: decodeFrame({ bytes, linkType, stampMicros: 1, interface: "eth0" }, knock), knock };
}

/** Bytes that often look like packets: real frames with some bytes changed, cut anywhere. */
const nearlyFrames = fc
  .record({
    linkType: linkTypes,
    six: fc.boolean(),
    udp: fc.boolean(),
    extensions: fc.array(
      fc.record({
        kind: fc.constantFrom(0, 43, 44, 51, 60, 135),
        bytes: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 8, maxLength: 24 }),
      }),
      { maxLength: 4 },
    ),
    changes: fc.array(fc.tuple(fc.nat(120), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    length: fc.nat(140),
  })
  .map(({ linkType, six, udp, extensions, changes, length }) => {
    const parts = {
      source: six ? "2001:db8::1" : "192.0.2.1",
      extensions,
      protocol: udp ? ("udp" as const) : ("tcp" as const),
    };
    const bytes = framed(linkType, packet(parts));
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return { linkType, bytes: bytes.slice(0, length) };
  });

const anyFrames = fc.oneof(nearlyFrames, fc.record({ linkType: linkTypes, bytes: fc.uint8Array({ maxLength: 140 }) }));

describe("decode", () => {
  test("tells of a packet what it tells of a knock, and never throws", () => {
    fc.assert(
      fc.property(anyFrames, ({ bytes, linkType }) => {
        const { dropped, knock } = decode(bytes, linkType);
        const packet = new KnockBuffer();
        const ofPacket = decodePacket({ bytes, linkType, stampMicros: 1, interface: "eth0" }, packet);
        if (dropped === undefined) expect([ofPacket, packet]).toEqual([undefined, knock]);
        else if (ofPacket !== undefined) expect(dropReasons).toContain(ofPacket);
      }),
    );
  });

  test("arbitrary bytes give a knock within its ranges or a named reason, never an exception", () => {
    fc.assert(
      fc.property(anyFrames, ({ linkType, bytes }) => {
        const { dropped, knock } = decode(bytes, linkType);
        if (dropped !== undefined) {
          expect(dropReasons).toContain(dropped);
          return;
        }
        expect([6, 17]).toContain(knock.protocol);
        for (const half of [knock.port, knock.sourcePort, knock.ipId]) expect(half).toBeLessThanOrEqual(0xffff);
        expect(knock.sequenceNumber).toBeGreaterThanOrEqual(0);
        expect(knock.flags & ~0x3f).toBe(0);
      }),
      { numRuns: 10_000 },
    );
  });

  test("what lies behind the frame's end is never looked at", () => {
    fc.assert(
      fc.property(anyFrames, fc.uint8Array({ minLength: 64, maxLength: 64 }), ({ linkType, bytes }, behind) => {
        const larger = Uint8Array.from([...bytes, ...behind]);
        expect(decode(larger.subarray(0, bytes.length), linkType)).toEqual(decode(bytes, linkType));
      }),
      { numRuns: 5_000 },
    );
  });

  test("a longer capture of the same packet never changes a knock that was read", () => {
    fc.assert(
      fc.property(nearlyFrames, fc.nat(140), ({ linkType, bytes }, length) => {
        const shorter = decode(bytes.slice(0, length), linkType);
        if (shorter.dropped === undefined) expect(decode(bytes, linkType)).toEqual(shorter);
      }),
      { numRuns: 5_000 },
    );
  });

  test("tags never change what is read", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0x8100, 0x88a8, 0x9100), { maxLength: 4 }), (tags) => {
        expect(decode(ethernet(packet(), tags), "ethernet")).toEqual(decode(ethernet(packet()), "ethernet"));
      }),
    );
  });
});
