import { type Address, parseAddress } from "./address.ts";
import { parseDuration } from "./duration.ts";
import { knockGrantObject } from "./knock-grant.ts";
import { expandRange, type Port, type PortKey, parsePortRange, portKey, portOfKey } from "./port.ts";

/** What a KnockGrant asks for, in our own values; whether its policy allows it is still to be seen. */
export interface GrantSpec {
  /** The name of a KnockSequence in the grant's namespace. */
  readonly sequence: string;
  readonly source: Address;
  /** Single ports, without repeats; undefined: all of the policy. */
  readonly ports: readonly Port[] | undefined;
  /** Undefined: on every node that the policy is for. */
  readonly node: string | undefined;
  /** Undefined: as long as the policy allows; 0: until it is deleted. */
  readonly forMicros: number | undefined;
}

/**
 * Reads the `spec` of a KnockGrant that nobody vouches for; undefined when it is not well formed, or says more than this version
 * knows, as what it does not know may be what keeps a door shut. Never throws.
 */
export function readGrantSpec(value: unknown): GrantSpec | undefined {
  const parsed = knockGrantObject.shape.spec.safeParse(value);
  if (!parsed.success) return undefined;
  const { sequenceRef, source, ports, node, for: lasts } = parsed.data;
  const address = parseAddress(source);
  const forMicros = lasts === undefined ? undefined : parseDuration(lasts);
  const single = ports === undefined ? undefined : singlePorts(ports);
  if (address === undefined || (lasts !== undefined && forMicros === undefined)) return undefined;
  if (ports !== undefined && single === undefined) return undefined;
  return { sequence: sequenceRef.name, source: address, ports: single, node, forMicros };
}

/** No more than a policy may open. */
const mostPorts = 64;

/** The single ports of entries; undefined where one is none, or there are too many. */
function singlePorts(entries: readonly (string | number)[]): readonly Port[] | undefined {
  const keys = new Set<PortKey>();
  for (const entry of entries) {
    const range = parsePortRange(String(entry));
    if (range === undefined || range.last - range.first >= mostPorts) return undefined;
    for (const port of expandRange(range)) keys.add(portKey(port));
  }
  return keys.size > mostPorts ? undefined : [...keys].map(portOfKey);
}
