import type { Watch } from "./capture/packet-source.ts";
import { type Policy, sequencesOf } from "./policy/policy.ts";

/** What is worth capturing for these policies: their steps and decoys, and the TCP flags that all of them agree on. Pure. */
export function watchFor(policies: readonly Policy[], extraTargets: Watch["extraTargets"]): Watch {
  const sequences = policies.flatMap(sequencesOf);
  const all = { must: 0xff, mustNot: 0xff };
  const flags = sequences.reduce(
    (common, { flags }) => ({ must: common.must & flags.must, mustNot: common.mustNot & flags.mustNot }),
    all,
  );
  return {
    ports: new Set(sequences.flatMap(({ steps, decoys }) => [...steps, ...decoys])),
    flags: sequences.length === 0 ? { must: 0, mustNot: 0 } : flags,
    extraTargets,
  };
}
