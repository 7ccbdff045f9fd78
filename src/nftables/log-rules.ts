import { flagBits } from "../policy/flag-rule.ts";
import type { FlagRule } from "../policy/policy.ts";
import { formatPort, type PortKey, portOfKey } from "../policy/port.ts";

/** What a firewall has to log for a capture from its log. */
export interface LogSpec {
  /** Steps and decoys, which cannot be told apart here. */
  readonly ports: ReadonlySet<PortKey>;
  /** What every TCP knock must carry and must not. */
  readonly flags: FlagRule;
  /** As it was checked when it was read: no quotes. */
  readonly prefix: string;
}

/** What one address, of IPv6 one /64, may have logged; a knock has 32 steps at most. */
const perSource = "20/second burst 64 packets";
/** What all may: about 100 KB a second. */
const forAll = "500/second burst 1000 packets";

/**
 * Rules that log knocks, as text for `nft -f`; loading them again replaces them. The table is one of its own, before the gate, and
 * lets every packet pass. Each source has a limit, so that one that floods does not cost others their knocks, and all together
 * have one, so that nobody fills the disk. A full set of sources (65,535) leaves the common limit. Needs nft 0.9.2.
 */
export function renderLogRules({ ports, flags, prefix }: LogSpec): string {
  const elements = [...ports].sort((one, other) => one - other).map(elementOf);
  const rule = flagText(flags);
  return `add table inet knockgate_log
delete table inet knockgate_log
table inet knockgate_log {
  set knocks {
    type inet_proto . inet_service
    elements = { ${elements.join(", ")} }
  }
  set sources4 { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; }
  set sources6 { type ipv6_addr; size 65535; flags dynamic,timeout; timeout 1m; }
  chain log_knocks {
    type filter hook prerouting priority -165; policy accept;
    iif lo return
    meta l4proto . th dport != @knocks return
${rule === "" ? "" : `    ${rule} return\n`}    add @sources4 { ip saddr limit rate over ${perSource} } return
    add @sources6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over ${perSource} } return
    limit rate ${forAll} log prefix "${prefix.trimEnd()} " flags tcp sequence
  }
}
`;
}

function elementOf(key: PortKey): string {
  const [port, protocol] = formatPort(portOfKey(key)).split("/");
  return `${protocol} . ${port}`;
}

/** TCP packets that no policy counts; UDP has no flags and passes. Empty: every packet may be a knock. */
function flagText({ must, mustNot }: FlagRule): string {
  const names = (bits: number) => Object.entries(flagBits).flatMap(([name, bit]) => ((bits & bit) === 0 ? [] : [name]));
  const asked = names(must | mustNot);
  if (asked.length === 0) return "";
  const wanted = names(must);
  return `tcp flags & (${asked.join(" | ")}) != ${wanted.length === 0 ? "0x0" : wanted.length === 1 ? wanted[0] : `(${wanted.join(" | ")})`}`;
}
