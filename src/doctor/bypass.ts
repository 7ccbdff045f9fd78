import { parseAddressList } from "../capture/address-list.ts";
import { planTaps } from "../capture/taps.ts";
import { formatAddress } from "../policy/address.ts";
import type { Port } from "../policy/port.ts";
import { judgeDestinationNat, judgeTracking } from "./address-translation.ts";
import type { Finding } from "./finding.ts";
import { parseForeignRules } from "./foreign-rules.ts";
import type { AskProgram } from "./inquiry.ts";

/**
 * Ways by which packets to guarded ports get past the gate or past its connection tracking, a sentence each, as far as one
 * can see from this host: an XDP program on a captured link, which may take packets before netfilter; destination NAT that
 * leads another port to a guarded one; `notrack` for guarded ports. Undefined where links or rules cannot be listed.
 */
export async function seeBypasses(
  ask: AskProgram,
  guarded: readonly Port[],
  interfaces: readonly string[],
): Promise<readonly string[] | undefined> {
  const [addresses, rules] = await Promise.all([
    ask("ip", ["-j", "-d", "addr", "show"]),
    ask("nft", ["-j", "list", "ruleset"]),
  ]);
  const state = parseAddressList(addresses.stdout);
  const chains = parseForeignRules(rules.stdout);
  if (state === undefined || chains === undefined) return undefined;
  const local = new Set(state.localAddresses.map(formatAddress));
  const tapped = new Set(planTaps(state, interfaces).taps.map(({ name }) => name));
  const findings = [
    ...judgeDestinationNat(chains, guarded, (address) => local.has(address)),
    judgeTracking(chains, guarded, true),
  ];
  return [...offloads(addresses.stdout, tapped), ...findings.flatMap(sentence)];
}

/** `"xdp": {"mode": 2, "prog": {…}}` in the listing of a link with a program (ip-link(8)). */
function offloads(listing: string, tapped: ReadonlySet<string>): readonly string[] {
  const links = JSON.parse(listing) as readonly { readonly ifname?: unknown; readonly xdp?: unknown }[];
  const named = links.filter(
    ({ ifname, xdp }) => xdp !== undefined && (tapped.has("any") || tapped.has(String(ifname))),
  );
  return named.map(({ ifname }) => `An XDP program on ${ifname} may take packets before the gate sees them.`);
}

function sentence({ verdict, what }: Finding): readonly string[] {
  return verdict === "ok" ? [] : [`${what.charAt(0).toUpperCase()}${what.slice(1)}.`];
}
