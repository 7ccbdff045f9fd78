import { decodeFrame } from "../../src/decode/decode.ts";
import type { LinkType } from "../../src/decode/frame.ts";
import { type DropReason, dropReasons } from "../../src/decode/knock.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";
import { ethernet, framed, packet } from "../fixture/capture-frames.ts";
import { capturedFrames } from "./captured-frames.ts";
import { type FuzzTarget, fenced, guarded, promised } from "./fuzz-target.ts";
import { joined, mutated } from "./mutation.ts";

const linkTypes: readonly LinkType[] = ["ethernet", "linux-cooked-v1", "linux-cooked-v2", "raw-ip", "loopback"];
const savefiles = ["knock-ethernet", "knock-cooked", "tags-ethernet", "tags-cooked"] as const;
const reasons: ReadonlySet<DropReason | undefined> = new Set(dropReasons);

/** Any bytes as a frame: the first says of which link type. */
export const decodeTarget: FuzzTarget = {
  name: "decode",
  make: (random) => {
    const bytes = random.oneIn(8) ? random.bytes(random.below(141)) : mutated(random.pick(inputs()), random);
    return bytes.subarray(0, 257);
  },
  run: (input) => {
    const linkType = linkTypes[(input[0] ?? 0) % linkTypes.length] ?? "ethernet";
    const bytes = input.subarray(1);
    const [low, high] = [guarded(bytes, 0), guarded(bytes, 0xff)];
    const one = decoded(low.bytes, linkType);
    const other = decoded(high.bytes, linkType);
    promised(one === other, "what lies behind the frame's end changes nothing");
    promised(one === decoded(fenced(bytes), linkType), "a frame is read the same way each time");
    promised(low.intact() && high.intact(), "nothing is written outside the frame");
  },
};

/** Decodes and checks the ranges; what came out, as text. */
function decoded(bytes: Uint8Array, linkType: LinkType): string {
  const knock = new KnockBuffer();
  const dropped = decodeFrame({ bytes, linkType, stampMicros: 1, interface: "eth0" }, knock);
  if (dropped !== undefined) {
    promised(reasons.has(dropped), "a frame is dropped for a named reason");
    return dropped;
  }
  const { protocol, port, sourcePort, flags, sequenceNumber, ipId, source, target } = knock;
  promised(protocol === 6 || protocol === 17, "a knock is TCP or UDP");
  for (const half of [port, sourcePort, ipId]) promised(half >= 0 && half <= 0xffff, "ports and ids have 16 bits");
  promised(sequenceNumber >= 0 && sequenceNumber <= 0xffffffff, "a sequence number has 32 bits");
  promised((flags & ~0x3f) === 0, "flags have six bits");
  return [protocol, port, sourcePort, flags, sequenceNumber, ipId, ...source, ...target].join();
}

let made: readonly Uint8Array[] | undefined;

/** Frames as they were captured, and made ones of every link type, family, protocol and header that is walked. */
function inputs(): readonly Uint8Array[] {
  made ??= [
    ...linkTypes.flatMap((linkType) => packets.map((ip) => inputOf({ linkType, bytes: framed(linkType, ip) }))),
    ...[1, 2, 3, 4, 5].map((tags) => inputOf({ linkType: "ethernet", bytes: ethernet(packet(), tagged(tags)) })),
    ...savefiles.flatMap((name) => capturedFrames(`capture-${name}.pcap`).map(inputOf)),
  ];
  return made;
}

const extension = (kind: number) => ({ kind, bytes: [0, 0, 0, 0, 0, 0, 0, 0] });
const tagged = (tags: number) => new Array<number>(tags).fill(0x8100);
const packets = [
  packet(),
  packet({ protocol: "udp", payloadBytes: 3 }),
  packet({ options: [7, 4, 0, 0] }),
  packet({ fragment: 0x2000 }),
  packet({ source: "2001:db8::1" }),
  packet({ source: "2001:db8::1", protocol: "udp" }),
  packet({ source: "2001:db8::1", extensions: [0, 60, 43, 44, 51, 135, 139, 140].map(extension) }),
];

function inputOf({ linkType, bytes }: { readonly linkType: LinkType; readonly bytes: Uint8Array }): Uint8Array {
  return joined(Uint8Array.of(linkTypes.indexOf(linkType)), bytes);
}
