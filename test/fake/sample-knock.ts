import type { Knock } from "../../src/decode/knock.ts";
import { parseAddress } from "../../src/policy/address.ts";

/** A TCP knock on port 7000 from 192.0.2.7; what is given replaces the rest. */
export function sampleKnock(changes: Partial<Knock> & { readonly from?: string } = {}): Knock {
  const { from = "192.0.2.7", ...rest } = changes;
  return {
    atMicros: 1_000_000,
    stampMicros: 1_700_000_000_000_000,
    source: parseAddress(from) ?? new Uint32Array(4),
    target: parseAddress("192.0.2.1") ?? new Uint32Array(4),
    protocol: 6,
    port: 7000,
    sourcePort: 40_000,
    flags: 0x02,
    sequenceNumber: 1,
    ipId: 0,
    ...rest,
  };
}
