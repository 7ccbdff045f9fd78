import { type NftRule, type RuleText, rule } from "./objects.ts";
import type { GateSpec } from "./ruleset.ts";

/**
 * The chain every packet passes, in order. Everything that returns goes on to the other tables: this one can only close.
 *
 *     loopback, answers to what this host began, exempt or foreign destinations   return
 *     port not guarded                                  return, or on to the chain `unguarded`
 *     trusted, granted, adopted, established (Keep)     return
 *     the rest                                          counted; dropped when enforcing
 *
 * `fib daddr type` has broadcast, multicast and anycast beside local: with local alone a guarded UDP port would answer
 * to them. `th dport` follows IPv6 extension headers, and conntrack has put fragments together before (-400).
 */
export function gateRules(spec: Pick<GateSpec, "mode" | "defaultDrop" | "closedAs">): NftRule[] {
  return inChain("gate", [
    rule`iif lo return`,
    rule`ct direction reply return`,
    rule`ip daddr @exempt4 return`,
    rule`ip6 daddr @exempt6 return`,
    rule`ip daddr != @external4 fib daddr type != { local, broadcast, multicast, anycast } return`,
    rule`ip6 daddr != @external6 fib daddr type != { local, broadcast, multicast, anycast } return`,
    spec.defaultDrop
      ? rule`meta l4proto . th dport != @guarded goto unguarded`
      : rule`meta l4proto . th dport != @guarded return`,
    ...welcome,
    rule`ip saddr . meta l4proto . th dport @granted4 return`,
    rule`ip6 saddr . meta l4proto . th dport @granted6 return`,
    ...adopted,
    rule`meta l4proto . th dport != @cutting ct state established,related return`,
    ...closing(spec),
  ]);
}

/**
 * What a host with policy DROP does to ports that nobody guards. Only TCP, UDP and echo requests are meant; every other
 * protocol passes, and of ICMP all but the echo request: errors, neighbour and router discovery (RFC 4890). DHCP answers
 * to a broadcast are no replies to conntrack, so both roles of both versions are named (RFC 2131, RFC 8415).
 */
export function unguardedRules(mode: GateSpec["mode"]): NftRule[] {
  const verdict = mode === "enforce" ? rule`counter name guarded_dropped drop` : rule`counter name guarded_dropped`;
  return inChain("unguarded", [
    rule`ct state established,related return`,
    ...welcome,
    ...adopted,
    rule`meta l4proto . th dport @served return`,
    rule`meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67, 67 . 67 } return`,
    rule`meta nfproto ipv6 udp sport . udp dport { 547 . 546, 546 . 547, 547 . 547 } return`,
    rule`icmp type != echo-request return`,
    rule`icmpv6 type != echo-request return`,
    rule`meta l4proto != { tcp, udp, icmp, icmpv6 } return`,
    verdict,
  ]);
}

const welcome = [rule`ip saddr @trusted4 return`, rule`ip6 saddr @trusted6 return`];

const adopted = [
  rule`ip saddr . tcp sport . tcp dport @adopted4 return`,
  rule`ip6 saddr . tcp sport . tcp dport @adopted6 return`,
];

/** The last rules of the gate. A reset and port unreachable in prerouting need Linux 5.9. */
function closing(spec: Pick<GateSpec, "mode" | "closedAs">): RuleText[] {
  if (spec.mode === "observe") return [rule`counter name guarded_dropped`];
  if (spec.closedAs === "silent") return [rule`counter name guarded_dropped drop`];
  return [
    rule`counter name guarded_dropped`,
    rule`meta l4proto tcp reject with tcp reset`,
    rule`reject with icmpx type port-unreachable`,
  ];
}

function inChain(chain: string, expressions: readonly RuleText[]): NftRule[] {
  return expressions.map((expression) => ({ kind: "rule", chain, expression }));
}
