import type { GateSpec } from "./nftables/ruleset.ts";
import type { AgentOptions } from "./options.ts";
import type { Address } from "./policy/address.ts";
import type { Compilation } from "./policy/compile.ts";

/** What the table must say, from the options, the policies in force and the addresses that are never gated. Pure. */
export function gateSpecFor(
  options: AgentOptions,
  compilation: Pick<Compilation, "guarded" | "cutting">,
  exempt: readonly Address[],
): GateSpec {
  return {
    mode: options.mode,
    guarded: compilation.guarded,
    cutting: compilation.cutting,
    trusted: options.trusts,
    external: options.guardAddresses,
    exempt,
    served: options.serves,
    defaultDrop: options.defaultDrop,
    closedAs: options.closedAs,
    maxGrants: options.maxGrants,
  };
}
