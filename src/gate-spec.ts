import type { TableListing } from "./nftables/nft.ts";
import type { GateSpec } from "./nftables/ruleset.ts";
import type { AgentOptions } from "./options.ts";
import type { Address } from "./policy/address.ts";
import type { Compilation } from "./policy/compile.ts";
import { type Port, portKey } from "./policy/port.ts";

/** The ports that are guarded, and those of them whose connections end with the grant. */
export type Guarding = Pick<Compilation, "guarded" | "cutting">;

/** What the table must say, from the options, the policies in force and the addresses that are never gated. Pure. */
export function gateSpecFor(options: AgentOptions, guarding: Guarding, exempt: readonly Address[]): GateSpec {
  return {
    mode: options.mode,
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

/**
 * For a start with a configuration of which a part could not be taken: what the table in the kernel guards from before stays
 * guarded, for an unguarded port is an open port. The next whole configuration decides again. Pure.
 */
export function addStandingGuards(guarding: Guarding, table: TableListing | undefined): Guarding {
  return {
    guarded: withPorts(guarding.guarded, portsOf(table, "guarded")),
    cutting: withPorts(guarding.cutting, portsOf(table, "cutting")),
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
