import { Cursor } from "./cursor.ts";
import type { Frame } from "./frame.ts";
import { readIpv4, readIpv6 } from "./ip.ts";
import type { DropReason } from "./knock.ts";
import type { KnockBuffer } from "./knock-buffer.ts";
import { readLinkLayer } from "./link-layer.ts";
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
  if (network !== "ipv4" && network !== "ipv6") return network;
  const dropped = network === "ipv4" ? readIpv4(cursor, knock) : readIpv6(cursor, knock);
  if (dropped !== undefined) return dropped;
  knock.stampMicros = frame.stampMicros;
  knock.atMicros = frame.stampMicros;
  return readTransport(cursor, knock);
}
