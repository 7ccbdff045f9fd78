import type { LinkState } from "../capture/packet-source.ts";
import { planTaps } from "../capture/taps.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** Which links would be tapped; undefined where they cannot be listed. Pure. */
export function judgeLinks(state: LinkState | undefined, interfaces: readonly string[]): readonly Finding[] {
  if (state === undefined) return [problem("links", "ip(8) does not list the links", "install the package iproute2")];
  const { taps, waitingFor } = planTaps(state, interfaces);
  const missing = waitingFor.map((name) =>
    state.links.some((link) => link.name === name)
      ? warning("links", `${name} is down: it is captured as soon as it is up`, `ip link set ${name} up`)
      : warning(
          "links",
          `there is no interface ${name}: it is waited for`,
          "look at `ip link`, and correct --interface",
        ),
  );
  if (taps.length > 0) return [ok("links", `captures on ${taps.map(({ name }) => name).join(", ")}`), ...missing];
  const none = problem(
    "links",
    "no link would be captured: no knock is seen",
    "bring a link up, or name one with --interface",
  );
  return [none, ...missing];
}

/** What the kernel says of one IPv4 link: net.ipv4.conf.NAME.rp_filter, and the larger of it and `all` counts. */
export interface PathFilter {
  readonly name: string;
  readonly value: number;
}

/** Strict reverse path filtering drops knocks that arrive on another link than the answer would leave by. Pure. */
export function judgePathFilters(filters: readonly PathFilter[], tapped: readonly string[]): Finding {
  const strict = filters.filter(({ name, value }) => value === 1 && tapped.includes(name)).map(({ name }) => name);
  if (strict.length === 0 || tapped.length < 2)
    return ok(
      "rp_filter",
      strict.length === 0 ? "not strict on any captured link" : "strict, with one link to the outside",
    );
  return warning(
    "rp_filter",
    `strict on ${strict.join(", ")} beside other links: what comes in on another link than answers leave by is dropped after the capture has seen it`,
    "set net.ipv4.conf.all.rp_filter and those of the links to 2 where routes are asymmetric",
  );
}
