import { type Address, type Cidr, familyOf, familyOfCidr } from "../policy/address.ts";
import { type Port, portKey, portOfKey } from "../policy/port.ts";
import { mergeRanges, rangeOf } from "./address-range.ts";
import { gateRules, unguardedRules } from "./gate-rules.ts";
import type { KeyPart, KeyType, NftChain, NftCounter, NftElement, NftRule, NftSet } from "./objects.ts";

/** Everything the table depends on, except who is granted. */
export interface GateSpec {
  /** `observe` counts what `enforce` would drop. */
  readonly mode: "enforce" | "observe";
  readonly guarded: readonly Port[];
  /** Guarded ports whose connections end with the grant; the others keep theirs. */
  readonly cutting: readonly Port[];
  readonly trusted: readonly Cidr[];
  /** Destinations that count although they are not local (`--guard-address`). */
  readonly external: readonly Cidr[];
  /** Local addresses that do not count (those of Kubernetes services). */
  readonly exempt: readonly Address[];
  /** Ports that stay open to everybody under `defaultDrop`. */
  readonly served: readonly Port[];
  /** Whether everything else is silent too, as on a host with policy DROP. */
  readonly defaultDrop: boolean;
  /** What a stranger at a guarded port gets: nothing, or what a closed port answers. */
  readonly closedAs: "silent" | "refused";
  /** Elements that each of the granted sets holds at most; 1 to 2^32-1. */
  readonly maxGrants: number;
}

/** The table wanted. Elements are those of the sets that the spec alone decides; granted and adopted ones come on top. */
export interface Ruleset {
  readonly sets: readonly NftSet[];
  readonly counters: readonly NftCounter[];
  readonly chains: readonly NftChain[];
  readonly rules: readonly NftRule[];
  readonly elements: readonly NftElement[];
}

/** After conntrack (-200) and before dstnat (-100), where NodePorts are rewritten; just before mangle (-150). */
const gatePriority = -160;

/** Counts what strangers send to guarded ports. It goes on counting from one agent to the next. */
export const droppedCounter = "guarded_dropped";

/** The sets whose elements outlive a change of the ruleset. */
export const liveSets: ReadonlySet<string> = new Set(["granted4", "granted6", "adopted4", "adopted6"]);

/** Computes the table. Pure: the same spec gives the same ruleset. The number of rules depends on the switches alone. */
export function rulesetOf(spec: GateSpec): Ruleset {
  return {
    sets: sets(spec),
    counters: [{ kind: "counter", name: droppedCounter }],
    chains: [
      ...(spec.defaultDrop ? [{ kind: "chain" as const, name: "unguarded" }] : []),
      { kind: "chain", name: "gate", hook: { name: "prerouting", priority: gatePriority } },
    ],
    rules: [...(spec.defaultDrop ? unguardedRules(spec.mode) : []), ...gateRules(spec)],
    elements: [
      ...portElements("guarded", spec.guarded),
      ...portElements("cutting", spec.cutting),
      ...rangeElements("trusted", spec.trusted),
      ...addressElements("exempt", spec.exempt),
      ...rangeElements("external", spec.external),
      ...(spec.defaultDrop ? portElements("served", spec.served) : []),
    ],
  };
}

function sets(spec: GateSpec): NftSet[] {
  const ports = { kind: "set", type: ["inet_proto", "inet_service"] } as const;
  const families = [
    { digit: "4", address: "ipv4_addr" },
    { digit: "6", address: "ipv6_addr" },
  ] as const;
  const perFamily = (name: string, more: readonly KeyType[], shape: Partial<NftSet>): NftSet[] =>
    families.map(({ digit, address }) => ({ kind: "set", name: name + digit, type: [address, ...more], ...shape }));
  return [
    { ...ports, name: "guarded" },
    { ...ports, name: "cutting" },
    ...(spec.defaultDrop ? [{ ...ports, name: "served" }] : []),
    ...perFamily("trusted", [], { interval: true, autoMerge: true }),
    ...perFamily("exempt", [], {}),
    ...perFamily("external", [], { interval: true }),
    ...perFamily("granted", ["inet_proto", "inet_service"], { timeout: true, size: spec.maxGrants }),
    ...perFamily("adopted", ["inet_service", "inet_service"], { timeout: true }),
  ];
}

/** `4` or `6`: how the names of sets tell their family. */
export function familyDigit(address: Address): "4" | "6" {
  return familyOf(address) === "ipv4" ? "4" : "6";
}

/** The parts of a key that are a port. */
export function portParts(port: Port): KeyPart[] {
  return [
    { kind: "protocol", protocol: port.protocol },
    { kind: "port", port: port.port },
  ];
}

function portElements(set: string, ports: readonly Port[]): NftElement[] {
  const keys = [...new Set(ports.map(portKey))].sort((one, other) => one - other);
  return keys.map((key) => ({ kind: "element", set, key: portParts(portOfKey(key)) }));
}

function addressElements(set: string, addresses: readonly Address[]): NftElement[] {
  const single = new Map(addresses.map((address) => [address.join(), address]));
  return [...single.values()].map((address) => ({
    kind: "element",
    set: set + familyDigit(address),
    key: [{ kind: "address", address }],
  }));
}

/** Ranges that overlap or touch are joined here, so that the kernel lists what was asked for. */
function rangeElements(set: string, cidrs: readonly Cidr[]): NftElement[] {
  return (["ipv4", "ipv6"] as const).flatMap((family) =>
    mergeRanges(cidrs.filter((cidr) => familyOfCidr(cidr) === family).map(rangeOf)).map(
      (range): NftElement => ({
        kind: "element",
        set: set + (family === "ipv4" ? "4" : "6"),
        key: [rangePart(range)],
      }),
    ),
  );
}

function rangePart({ first, last }: { readonly first: Address; readonly last: Address }): KeyPart {
  return first.every((word, at) => word === last[at])
    ? { kind: "address", address: first }
    : { kind: "range", first, last };
}
