import { describe, expect, test } from "vitest";
import { decodeFrame, decodePacket } from "../../../src/decode/decode.ts";
import type { LinkType } from "../../../src/decode/frame.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";
import { cookedOne, cookedTwo, ethernet, packet } from "../../fixture/capture-frames.ts";

function decoded(bytes: Uint8Array, linkType: LinkType = "ethernet") {
  const knock = new KnockBuffer();
  return decodePacket({ bytes, linkType, stampMicros: 5_000_001, interface: "eth0" }, knock) ?? knock;
}

describe("a packet", () => {
  test("is also what this host sent itself", () => {
    for (const [linkType, frame] of [
      ["linux-cooked-v1", cookedOne(packet(), 4)],
      ["linux-cooked-v2", cookedTwo(packet(), 4)],
    ] as const) {
      expect(decoded(frame, linkType)).toMatchObject({ port: 7000, sourcePort: 40_000, flags: 2, atMicros: 5_000_001 });
      expect(decodeFrame({ bytes: frame, linkType, stampMicros: 1, interface: "any" }, new KnockBuffer())).toBe(
        "outgoing",
      );
    }
  });

  test.each([
    { family: "IPv4", source: "192.0.2.1", protocol: 1 },
    { family: "IPv6", source: "2001:db8::1", protocol: 58 },
  ])("is also ICMP over $family: its type, and how long it is", ({ source, protocol }) => {
    const frame = ethernet(packet({ source, protocol, sourcePort: 0x0800, payloadBytes: 100 }));
    expect(decoded(frame)).toMatchObject({ protocol, port: 8, sourcePort: 0, sequenceNumber: 120, flags: 0 });
  });

  test("is dropped for what is no packet, as a knock is", () => {
    expect(decoded(ethernet(packet({ protocol: 47 })))).toBe("other-protocol");
    expect(decoded(ethernet(packet({ protocol: 1 })).subarray(0, 40))).toBe("truncated");
    expect(decoded(Uint8Array.of(1, 2, 3))).toBe("truncated");
  });
});
