import type { TableListing } from "./nftables/nft.ts";
import type { GateSpec } from "./nftables/ruleset.ts";
import type { AgentOptions } from "./options.ts";
import type { Address } from "./policy/address.ts";
import type { Compilation } from "./policy/compile.ts";
import { type Port, portKey } from "./policy/port.ts";

/** The ports that are guarded, and those of them whose connections end with the grant. */
export type Guarding = Pick<Compilation, "guarded" | "cutting">;

/**
 * What the table must say, from the options, the policies in force and the addresses that are never gated. The mode is that
 * of the options, unless a confirmation has lapsed. Pure.
 */
export function gateSpecFor(
  options: AgentOptions,
  guarding: Guarding,
  exempt: readonly Address[],
  mode: GateSpec["mode"] = options.mode,
): GateSpec {
  return {
    mode,
    guarded: guarding.guarded,
    cutting: guarding.cutting,
    trusted: options.trusts,
    external: options.guardAddresses,
    exempt,
    served: options.serves,
    defaultDrop: options.defaultDrop,
    closedAs: options.closedAs,
    maxGrants: options.maxGrants,
  };
}

/** Nothing is guarded. */
export const noGuards: Guarding = { guarded: [], cutting: [] };

/** What a table in the kernel guards. Pure. */
export function standingGuards(table: TableListing | undefined): Guarding {
  return { guarded: portsOf(table, "guarded"), cutting: portsOf(table, "cutting") };
}

/** Both together, without repeats. Pure. */
export function addGuards(some: Guarding, more: Guarding): Guarding {
  return {
    guarded: withPorts(some.guarded, more.guarded),
    cutting: withPorts(some.cutting, more.cutting),
  };
}

function portsOf(table: TableListing | undefined, set: string): Port[] {
  return (table?.sets.get(set)?.elements ?? []).flatMap(({ key: [protocol, port] }) =>
    protocol?.kind === "protocol" && port?.kind === "port" ? [{ protocol: protocol.protocol, port: port.port }] : [],
  );
}

function withPorts(some: readonly Port[], more: readonly Port[]): Port[] {
  return [...new Map([...some, ...more].map((port) => [portKey(port), port])).values()];
}
