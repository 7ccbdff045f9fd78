import type { Watch } from "./capture/packet-source.ts";
import { type Policy, type Sequence, sequencesOf } from "./policy/policy.ts";

/**
 * What is worth capturing for these policies: their steps and decoys, and the TCP flags that all of them agree on; with `matching:
 * Knockd` the target as well, which need not be an address of this host. Pure.
 */
export function watchFor(policies: readonly Policy[], extraTargets: Watch["extraTargets"]): Watch {
  const sequences = policies.flatMap(sequencesOf);
  const all = { must: 0xff, mustNot: 0xff };
  const flags = sequences.reduce(
    (common, { flags }) => ({ must: common.must & flags.must, mustNot: common.mustNot & flags.mustNot }),
    all,
  );
  return {
    ports: new Set([
      ...sequences.flatMap(({ steps, decoys }) => [...steps, ...decoys]),
      ...policies.flatMap(({ knockd }) => knockd?.oneTime?.next ?? []),
    ]),
    flags: sequences.length === 0 ? { must: 0, mustNot: 0 } : flags,
    extraTargets: extraTargets === "everything" ? extraTargets : [...extraTargets, ...namedTargets(sequences)],
  };
}

function namedTargets(sequences: readonly Sequence[]) {
  return sequences
    .filter(({ matching }) => matching === "Knockd")
    .flatMap(({ target }) => (target === undefined ? [] : [{ address: target, prefixBits: 128 }]));
}
