import { describe, expect, test } from "vitest";
import { decodeFrame } from "../../../src/decode/decode.ts";
import type { LinkType } from "../../../src/decode/frame.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";
import { formatAddress } from "../../../src/policy/address.ts";
import {
  cookedOne,
  cookedTwo,
  ethernet,
  framed,
  half,
  type PacketParts,
  packet,
} from "../../fixture/capture-frames.ts";

const linkTypes: LinkType[] = ["ethernet", "linux-cooked-v1", "linux-cooked-v2", "raw-ip", "loopback"];

function decode(bytes: Uint8Array, linkType: LinkType = "ethernet") {
  const knock = new KnockBuffer();
  const dropped = decodeFrame({ bytes, linkType, stampMicros: 5_000_001, interface: "eth0" }, knock);
  return { dropped, knock };
}

/** `source > target protocol/port flags`, or the reason. */
function told(bytes: Uint8Array, linkType: LinkType = "ethernet"): string {
  const { dropped, knock } = decode(bytes, linkType);
  if (dropped !== undefined) return dropped;
  return `${formatAddress(knock.source)}:${knock.sourcePort} > ${formatAddress(knock.target)}:${knock.port}/${knock.protocol} flags ${knock.flags}`;
}

const four = "192.0.2.1:40000 > 192.0.2.10:7000/6 flags 2";
const six = "2001:db8::1:40000 > 2001:db8::10:7000/6 flags 2";
const fromSix: PacketParts = { source: "2001:db8::1" };

describe("every link type", () => {
  test.each(linkTypes)("%s carries IPv4 and IPv6, TCP and UDP", (linkType) => {
    expect(told(framed(linkType, packet()), linkType)).toBe(four);
    expect(told(framed(linkType, packet(fromSix)), linkType)).toBe(six);
    expect(told(framed(linkType, packet({ protocol: "udp" })), linkType)).toBe(
      "192.0.2.1:40000 > 192.0.2.10:7000/17 flags 0",
    );
    expect(told(framed(linkType, packet({ ...fromSix, protocol: "udp" })), linkType)).toBe(
      "2001:db8::1:40000 > 2001:db8::10:7000/17 flags 0",
    );
  });

  test.each(linkTypes)(
    "%s: every truncation of a frame is dropped with a reason until the flags are there",
    (linkType) => {
      for (const parts of [{}, fromSix, { protocol: "udp" as const }, { ...fromSix, protocol: "udp" as const }]) {
        const whole = framed(linkType, packet(parts));
        const enough = parts.protocol === "udp" ? whole.length : whole.length - 6;
        for (let length = 0; length < whole.length; length++)
          expect(told(whole.subarray(0, length), linkType) === "truncated").toBe(length < enough);
      }
    },
  );
});

describe("link layers", () => {
  test.each([
    { name: "one tag", frame: ethernet(packet(), [0x8100]), expected: four },
    { name: "a service tag above a tag", frame: ethernet(packet(fromSix), [0x88a8, 0x8100]), expected: six },
    { name: "the old service tag", frame: ethernet(packet(), [0x9100, 0x8100]), expected: four },
    { name: "four tags", frame: ethernet(packet(), [0x88a8, 0x8100, 0x8100, 0x8100]), expected: four },
    { name: "five tags", frame: ethernet(packet(), new Array(5).fill(0x8100)), expected: "malformed" },
    { name: "a tag cut off", frame: ethernet([], [0x8100]).subarray(0, 16), expected: "truncated" },
    { name: "ARP", frame: ethernet(packet(), [], 0x0806), expected: "not-ip" },
    { name: "an 802.3 length", frame: ethernet(packet(), [], 0x0100), expected: "not-ip" },
    { name: "IPv6 announced as IPv4", frame: ethernet(packet(fromSix), [], 0x0800), expected: "malformed" },
    {
      name: "IPv4 announced as IPv6",
      frame: ethernet(packet({ payloadBytes: 60 }), [], 0x86dd),
      expected: "malformed",
    },
  ])("Ethernet: $name", ({ frame, expected }) => {
    expect(told(frame)).toBe(expected);
  });

  test("what this host sent is outgoing in both cooked versions, other packet types are not", () => {
    for (const packetType of [0, 1, 2, 3]) {
      expect(told(cookedOne(packet(), packetType), "linux-cooked-v1")).toBe(four);
      expect(told(cookedTwo(packet(), packetType), "linux-cooked-v2")).toBe(four);
    }
    expect(told(cookedOne(packet(), 4), "linux-cooked-v1")).toBe("outgoing");
    expect(told(cookedTwo(packet(), 4), "linux-cooked-v2")).toBe("outgoing");
  });

  test("a tag that libpcap puts back into a cooked frame is skipped", () => {
    const tagged = [...cookedOne(packet()).subarray(0, 14), ...half(0x8100), ...half(5), ...half(0x0800), ...packet()];
    expect(told(Uint8Array.from(tagged), "linux-cooked-v1")).toBe(four);
  });

  test.each([
    { name: "two tags", parts: {}, hidden: [...half(0x65), ...half(0x0800)], expected: four },
    {
      name: "three tags",
      parts: {},
      hidden: [...half(0x65), ...half(0x8100), ...half(0x66), ...half(0x0800)],
      expected: four,
    },
    { name: "two tags, IPv6", parts: fromSix, hidden: [...half(0x65), ...half(0x86dd)], expected: six },
    { name: "no tag but no header either", parts: {}, hidden: [...half(0x65), ...half(0x0806)], expected: "malformed" },
    {
      name: "tags without end",
      parts: {},
      hidden: new Array(6).fill([...half(0x65), ...half(0x0800)]).flat(),
      expected: "malformed",
    },
  ])(
    "inner tags that a newer kernel hides behind the innermost type are skipped: $name",
    ({ parts, hidden, expected }) => {
      const plain = cookedOne(packet(parts));
      const tagged = [
        ...plain.subarray(0, 14),
        ...half(0x88a8),
        ...half(5),
        ...plain.subarray(14, 16),
        ...hidden,
        ...packet(parts),
      ];
      expect(told(Uint8Array.from(tagged), "linux-cooked-v1")).toBe(expected);
    },
  );

  test.each([
    { family: [2, 0, 0, 0], expected: four },
    { family: [0, 0, 0, 2], expected: four },
    { family: [30, 0, 0, 0], expected: "malformed" },
    { family: [7, 0, 0, 0], expected: "not-ip" },
  ])("loopback family $family", ({ family, expected }) => {
    expect(told(Uint8Array.from([...family, ...packet()]), "loopback")).toBe(expected);
  });

  test("raw IP of no known version is not IP", () => {
    expect(told(Uint8Array.of(0x50, 0, 0, 0), "raw-ip")).toBe("not-ip");
  });
});

/** IPv4 bytes with some replaced. */
function patched(parts: PacketParts, patches: Readonly<Record<number, number>>): Uint8Array {
  return ethernet(packet(parts).map((byte, at) => patches[at] ?? byte));
}

describe("IPv4", () => {
  test.each([
    { name: "options are skipped", frame: ethernet(packet({ options: [1, 1, 1, 0] })), expected: four },
    { name: "a first fragment with a whole header", frame: ethernet(packet({ fragment: 0x2000 })), expected: four },
    { name: "a later fragment", frame: ethernet(packet({ fragment: 0x2001 })), expected: "later-fragment" },
    { name: "the last fragment", frame: ethernet(packet({ fragment: 185 })), expected: "later-fragment" },
    { name: "don't fragment", frame: ethernet(packet({ fragment: 0x4000 })), expected: four },
    { name: "a tiny first fragment", frame: patched({ fragment: 0x2000 }, { 3: 36 }), expected: "malformed" },
    { name: "ICMP", frame: ethernet(packet({ protocol: 1 })), expected: "other-protocol" },
    { name: "a header of 16 bytes", frame: patched({}, { 0: 0x44 }), expected: "malformed" },
    { name: "a length below the header's", frame: patched({}, { 3: 19 }), expected: "malformed" },
    { name: "a length that ends in the TCP header", frame: patched({}, { 3: 39 }), expected: "malformed" },
    { name: "a length beyond the capture", frame: patched({}, { 2: 5 }), expected: four },
    { name: "padding behind the packet", frame: Uint8Array.from([...ethernet(packet()), 0, 0, 0, 0]), expected: four },
    { name: "a TCP header of 16 bytes", frame: patched({}, { 32: 0x40 }), expected: "malformed" },
    { name: "TCP options beyond the packet", frame: patched({}, { 32: 0x60 }), expected: "malformed" },
    { name: "a UDP length below 8", frame: patched({ protocol: "udp" }, { 25: 7 }), expected: "malformed" },
    { name: "a UDP length beyond the packet", frame: patched({ protocol: "udp" }, { 25: 9 }), expected: "malformed" },
  ])("$name", ({ frame, expected }) => {
    expect(told(frame)).toBe(expected);
  });

  test("a first UDP fragment announces more than it holds", () => {
    const frame = patched({ protocol: "udp", fragment: 0x2000, payloadBytes: 8 }, { 24: 5 });
    expect(told(frame)).toBe("192.0.2.1:40000 > 192.0.2.10:7000/17 flags 0");
  });
});

const options = { kind: 60, bytes: [0, 0, 1, 4, 0, 0, 0, 0] };
const hop = { ...options, kind: 0 };
const fragmentHeader = (field: number) => ({ kind: 44, bytes: [0, 0, ...half(field), 0, 0, 0, 9] });
const authentication = { kind: 51, bytes: [0, 4, ...new Array<number>(22).fill(0)] };
const routing = (left: number) => ({ kind: 43, bytes: [0, 0, 4, left, 0, 0, 0, 0] });

describe("IPv6", () => {
  test.each([
    { name: "hop-by-hop and destination options", extensions: [hop, options], expected: six },
    { name: "an authentication header", extensions: [authentication], expected: six },
    {
      name: "mobility, host identity and shim",
      extensions: [135, 139, 140].map((kind) => ({ ...options, kind })),
      expected: six,
    },
    { name: "a routing header that is done", extensions: [routing(0)], expected: six },
    { name: "a routing header that is not done", extensions: [routing(1)], expected: "malformed" },
    { name: "an atomic fragment", extensions: [fragmentHeader(0)], expected: six },
    { name: "a first fragment", extensions: [fragmentHeader(1)], expected: six },
    { name: "a later fragment", extensions: [fragmentHeader(0x0008)], expected: "later-fragment" },
    { name: "hop-by-hop not first", extensions: [options, hop], expected: "malformed" },
    { name: "ten headers", extensions: new Array(10).fill(options), expected: six },
    { name: "eleven headers", extensions: new Array(11).fill(options), expected: "malformed" },
    {
      name: "an options header longer than the packet",
      extensions: [{ kind: 60, bytes: [0, 30, 0, 0, 0, 0, 0, 0] }],
      expected: "malformed",
    },
  ])("$name", ({ extensions, expected }) => {
    expect(told(ethernet(packet({ ...fromSix, extensions })))).toBe(expected);
  });

  test("a payload length of zero is no knock, and ESP and no next header are other protocols", () => {
    const bytes = packet(fromSix);
    expect(told(ethernet(bytes.map((byte, at) => (at === 5 ? 0 : byte))))).toBe("malformed");
    expect(told(ethernet(packet({ ...fromSix, protocol: 50 })))).toBe("other-protocol");
    expect(told(ethernet(packet({ ...fromSix, protocol: 59 })))).toBe("other-protocol");
  });
});

/** The mapped address 192.0.2.1 on the wire of IPv6, written into an IPv6 packet at the source (8) or target (24). */
function mappedOnWire(at: number): Uint8Array {
  const bytes = packet(fromSix);
  bytes.splice(at, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1);
  return ethernet(bytes);
}

describe("addresses", () => {
  test.each(["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "::", "::1", "ff02::1"])(
    "a packet from %s is malformed on a real link",
    (source) => {
      expect(told(ethernet(packet({ source })))).toBe("malformed");
    },
  );

  test.each(["10.0.0.1", "240.0.0.1", "223.255.255.255", "fe80::1", "::2"])("a packet from %s passes", (source) => {
    expect(told(ethernet(packet({ source })))).toContain(`${source}:40000 >`);
  });

  test("a mapped address in an IPv6 packet never becomes an IPv4 one", () => {
    expect(told(mappedOnWire(8))).toBe("malformed");
    expect(told(mappedOnWire(24))).toBe("malformed");
  });

  test("on a loopback link 127.0.0.1 and ::1 are honest", () => {
    const lo = ethernet(packet({ source: "127.0.0.1" })).fill(0, 0, 12);
    expect(told(lo)).toContain("127.0.0.1:40000 >");
    expect(told(framed("loopback", packet({ source: "::1" })), "loopback")).toContain("::1:40000 >");
    expect(told(cookedOne(packet({ source: "::1" }), 0, 772), "linux-cooked-v1")).toContain("::1:40000 >");
    expect(told(cookedTwo(packet({ source: "127.0.0.1" }), 0, 772), "linux-cooked-v2")).toContain("127.0.0.1:40000 >");
  });
});

describe("what tells a retransmission", () => {
  test("TCP has its sequence number, unsigned, and no IP id", () => {
    const { knock } = decode(ethernet(packet({ sequenceNumber: 0xfffffffe, flags: 0xff })));
    expect(knock).toMatchObject({
      sequenceNumber: 0xfffffffe,
      ipId: 0,
      flags: 0x3f,
      stampMicros: 5_000_001,
      atMicros: 5_000_001,
    });
  });

  test("UDP has length, checksum and, over IPv4, the IP id", () => {
    expect(decode(ethernet(packet({ protocol: "udp", payloadBytes: 1 }))).knock).toMatchObject({
      sequenceNumber: ((9 << 16) | 0xbeef) >>> 0,
      ipId: 77,
    });
    expect(decode(ethernet(packet({ ...fromSix, protocol: "udp" }))).knock.ipId).toBe(0);
  });
});
