import { Cursor } from "./cursor.ts";
import type { Frame } from "./frame.ts";
import { readIpv4, readIpv6 } from "./ip.ts";
import type { DropReason } from "./knock.ts";
import type { KnockBuffer } from "./knock-buffer.ts";
import { type NetworkLayer, readLinkLayer } from "./link-layer.ts";
import { icmpNumber, readIcmp } from "./packet.ts";
import { readTransport } from "./transport.ts";

/** Used for every frame: decoding is never entered twice at once. */
const cursor = new Cursor();

/**
 * Frame to knock: fills `knock` and returns undefined, or returns why there is none; the knock then holds leftovers.
 * Never throws and never reads past the frame's end, whatever the bytes. `atMicros` is set to the frame's stamp; who has
 * a clock makes it monotonic. Whether anybody watches the port, and whether the target is local, is asked later.
 */
export function decodeFrame(frame: Frame, knock: KnockBuffer): DropReason | undefined {
  cursor.begin(frame.bytes);
  const network = readLinkLayer(cursor, frame.linkType);
  if (cursor.outgoing) return "outgoing";
  return readNetwork(network, frame, knock) ?? readTransport(cursor, knock);
}

/** Frame to packet: as `decodeFrame`, and with it what this host sends itself, and ICMP. */
export function decodePacket(frame: Frame, packet: KnockBuffer): DropReason | undefined {
  cursor.begin(frame.bytes);
  const dropped = readNetwork(readLinkLayer(cursor, frame.linkType), frame, packet);
  if (dropped !== undefined) return dropped;
  const isIcmp = packet.protocol === icmpNumber.four || packet.protocol === icmpNumber.six;
  return isIcmp ? readIcmp(cursor, packet) : readTransport(cursor, packet);
}

/** Leaves the cursor at the transport header. */
function readNetwork(network: NetworkLayer, frame: Frame, knock: KnockBuffer): DropReason | undefined {
  if (network !== "ipv4" && network !== "ipv6") return network;
  knock.stampMicros = frame.stampMicros;
  knock.atMicros = frame.stampMicros;
  return network === "ipv4" ? readIpv4(cursor, knock) : readIpv6(cursor, knock);
}
