import type { Compilation } from "../policy/compile.ts";
import type { Policy } from "../policy/policy.ts";
import type { Problem } from "../policy/problem.ts";
import type { ConfigDocument, Snapshot } from "./config-source.ts";
import type { KeptSnapshot } from "./kept-snapshots.ts";

/** What one source has now, and what was kept of it from before the restart, where that may stand in for it. */
export interface Candidate {
  readonly own: Snapshot;
  readonly kept: KeptSnapshot | undefined;
}

/** All sources, compiled together. */
export interface Weighed {
  readonly compilation: Compilation;
  /** Why the snapshots are not to be believed as a whole, a few sentences; empty: they are. */
  readonly faults: readonly string[];
  /** Whether something that was kept stands in for every snapshot that is not to be believed. */
  readonly isRestored: boolean;
}

/** As many faults as are told; the first is usually the cause of the others. */
const mostFaults = 5;

/** Compiles what the sources have, or what was kept of those that are not to be believed. Pure, as far as `compile` is. */
export function weigh(
  candidates: readonly Candidate[],
  compile: (documents: readonly ConfigDocument[]) => Compilation,
): Weighed {
  const own = compile(candidates.flatMap((candidate) => candidate.own.documents));
  const failures = candidates.flatMap((candidate) => candidate.own.failures);
  const faults = [...failures, ...own.unreadable.map(sentenceOf)].slice(0, mostFaults);
  const unreadable = new Set(own.unreadable.map(({ place }) => place.origin));
  const faulty = candidates.filter(({ own: { documents, failures: reasons } }) => {
    return reasons.length > 0 || documents.some(({ origin }) => unreadable.has(origin));
  });
  const restored = faulty.filter(({ kept }) => kept !== undefined && kept.documents.length > 0);
  if (restored.length === 0) return { compilation: own, faults, isRestored: false };
  const documents = candidates.flatMap(
    (candidate) => (restored.includes(candidate) ? candidate.kept : candidate.own)?.documents ?? [],
  );
  const withheld = new Set(restored.flatMap(({ kept }) => kept?.withheld ?? []));
  const compilation = withoutPolicies(compile(documents), ({ name }) => withheld.has(name));
  return { compilation, faults, isRestored: restored.length === faulty.length };
}

/** The compilation without some policies. Their ports stay guarded: nobody said that these may be open. Pure. */
export function withoutPolicies(compilation: Compilation, isLeftOut: (policy: Policy) => boolean): Compilation {
  return { ...compilation, policies: compilation.policies.filter((policy) => !isLeftOut(policy)) };
}

function sentenceOf({ place, message }: Problem): string {
  return `${place.origin}:${place.line}: ${message}`;
}
