import { formatPort, type Port } from "../policy/port.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import type { ForeignChain } from "./foreign-rules.ts";
import { named } from "./other-tables.ts";

/**
 * Destination NAT by Docker, kube-proxy or hand. The gate comes before it, so a published port that is guarded is guarded; but
 * another port that leads to a guarded one of this host goes around it. Pure.
 */
export function judgeDestinationNat(
  chains: readonly ForeignChain[],
  guarded: readonly Port[],
  isLocal: (address: string) => boolean,
): readonly Finding[] {
  const rules = chains.flatMap((chain) => chain.rules.map((rule) => ({ chain, rule })));
  const translating = rules.filter(({ rule }) => rule.verdict.kind === "destination-nat" && rule.namesPorts);
  const published = guarded.filter((port) => translating.some(({ rule }) => rule.covers(port)));
  const around = translating.flatMap(({ chain, rule }) => {
    if (rule.verdict.kind !== "destination-nat") return [];
    const { address, port } = rule.verdict;
    const door = guarded.find(
      (one) => one.port === port && (address === undefined || isLocal(address)) && !rule.covers(one),
    );
    if (door === undefined) return [];
    const where = `table ${chain.family} ${chain.table}, chain ${chain.name}`;
    const what = `${where} leads another port to the guarded ${formatPort(door)}, past the gate`;
    return [problem("destination NAT", what, "guard that other port too, with --guard")];
  });
  if (around.length > 0) return around;
  if (published.length === 0) return [ok("destination NAT", "no guarded port is rewritten")];
  return [
    ok(
      "destination NAT",
      `${named(published)} is rewritten (Docker, kube-proxy or the like) after the gate: it is guarded before that`,
    ),
  ];
}

/** Who looks like one source for many: grants of the gateway's own address, or NAT of what comes in. Pure. */
export function judgeSourceNat(
  chains: readonly ForeignChain[],
  granted: readonly string[],
  gateways: readonly string[],
): Finding {
  const mend = "knock and connect past that NAT, or refuse such grants with --never-grant";
  const gateway = gateways.find((address) => granted.includes(address));
  if (gateway !== undefined)
    return warning(
      "source NAT",
      `the gateway ${gateway} holds a grant: behind source NAT that opens the door to everybody who comes through it`,
      mend,
    );
  const inbound = chains.find(
    ({ hook, rules }) => hook === "input" && rules.some(({ verdict }) => verdict.kind === "source-nat"),
  );
  if (inbound !== undefined)
    return warning(
      "source NAT",
      `table ${inbound.family} ${inbound.table} rewrites the sources of what comes in`,
      mend,
    );
  const [first, ...others] = granted;
  if (first !== undefined && others.length >= 7 && others.every((source) => source === first) && isPrivate(first))
    return warning(
      "source NAT",
      `all ${granted.length} grants are of the one private address ${first}: it may stand for many`,
      mend,
    );
  return ok("source NAT", "no sign that many sources look like one");
}

function isPrivate(address: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd])/.test(address);
}

/** Without connection tracking answers to this host look like knocks at guarded ports, and running connections are cut. Pure. */
export function judgeTracking(chains: readonly ForeignChain[], guarded: readonly Port[], isTracking: boolean): Finding {
  const untracked = chains.find(({ rules }) =>
    rules.some(
      (rule) =>
        rule.verdict.kind === "notrack" &&
        (rule.certain || rule.namesPorts) && // others are of a CNI's own traffic, known by marks
        guarded.some((port) => rule.covers(port)),
    ),
  );
  if (untracked !== undefined) {
    const what = `table ${untracked.family} ${untracked.table}, chain ${untracked.name} turns it off (notrack) for guarded ports: connections end with their grant`;
    return warning("conntrack", what, "take guarded ports out of that rule");
  }
  if (isTracking) return ok("conntrack", "follows connections");
  return ok("conntrack", "begins with the first table that needs it; connections from before are adopted");
}
