import type { FilterLink } from "./bpf-filter.ts";
import type { Link, LinkState } from "./packet-source.ts";

/**
 * One interface to capture on. `index` is 0 for `any`; a link that was deleted and made again has another one, and one that
 * was down meanwhile has other `falls`.
 */
export interface Tap {
  readonly name: string;
  readonly index: number;
  readonly falls: number;
  readonly kind: FilterLink;
}

/** What to capture on now, and what was asked for and is not there, or not up. */
export interface TapPlan {
  readonly taps: readonly Tap[];
  readonly waitingFor: readonly string[];
}

/** Links that lead to pods, containers and virtual machines, or hold addresses only: what arrives there is not from outside, or is seen elsewhere. */
const podFacing = /^(veth|cali|lxc|cni|docker|br-|flannel|cilium|virbr)|^(kube-ipvs0|nodelocaldns)$/;

/** The interfaces named, `any` for all in one, or without names every link that is up and leads outside. Pure. */
export function planTaps(state: LinkState, interfaces: readonly string[]): TapPlan {
  if (interfaces.includes("any"))
    return { taps: [{ name: "any", index: 0, falls: 0, kind: "cooked" }], waitingFor: [] };
  if (interfaces.length === 0)
    return {
      taps: state.links.filter((link) => link.up && !link.loopback && !podFacing.test(link.name)).map(tapOf),
      waitingFor: [],
    };
  const found = new Map(state.links.filter((link) => link.up).map((link) => [link.name, link]));
  const wanted = [...new Set(interfaces)];
  return {
    taps: wanted.flatMap((name) => found.get(name) ?? []).map(tapOf),
    waitingFor: wanted.filter((name) => !found.has(name)),
  };
}

/** Linux shows the loopback link as Ethernet too. */
function tapOf(link: Link): Tap {
  const kind = link.hardware === "ether" || link.hardware === "loopback" ? "ethernet" : "other";
  return { name: link.name, index: link.index, falls: link.falls ?? 0, kind };
}
