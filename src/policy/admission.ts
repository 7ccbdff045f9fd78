/**
 * Who stays. Policies are admitted in the order in which they stand in the texts, and one that cannot stand beside those
 * before it is rejected; no other suffers. Where policies are in force already (`standing`), a rejected new version must not take
 * its door away, because an unguarded port is an open port: the version in force is then kept, before all others, and
 * whatever does not get on with it is rejected in turn. That ends, as versions in force get on with each other. The price
 * is that the outcome of a broken configuration depends on what was in force; after a restart only the texts count.
 */
import { Claims } from "./conflicts.ts";
import type { RawResource } from "./document.ts";
import { type Draft, placeOfSteps } from "./draft.ts";
import { type Finding, problemFor } from "./finding.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { Policy } from "./policy.ts";
import { type Port, portKey } from "./port.ts";
import type { Problem } from "./problem.ts";

/** What admission is decided by. */
export interface AdmissionOptions {
  readonly guards: readonly Port[];
  readonly served: readonly Port[];
  readonly allowCritical: boolean;
  readonly standing?: readonly Policy[] | undefined;
}

/** Who was admitted. */
export interface Admission {
  readonly accepted: readonly Draft[];
  /** Versions in force that stay because the texts' version of the same policy was rejected. */
  readonly kept: readonly Policy[];
  /** How many of those kept say the same as the texts, so that nothing of theirs was rejected. */
  readonly keptUnchanged: number;
  readonly problems: readonly Problem[];
}

/** Admits drafts; `resources` are all that were declared, those rejected before too. */
export function admit(
  drafts: readonly Draft[],
  resources: readonly RawResource[],
  options: AdmissionOptions,
): Admission {
  const inForce = declaredInForce(resources, options.standing ?? []);
  const kept = new Map<string, Policy>();
  const earlier: Problem[] = [];
  for (;;) {
    const round = admitOnce(drafts, kept, options);
    const losing = [...inForce.keys()].filter((policy) => !round.names.has(policy.name) && !kept.has(policy.name));
    if (losing.length === 0) {
      const changed = [...kept.values()].filter((policy) => !isUnchanged(policy, drafts));
      const notes = changed.flatMap((policy) => keptNote(inForce.get(policy)));
      const problems = [...earlier, ...round.problems, ...remarks(round.accepted, round.claims, options), ...notes];
      return {
        accepted: round.accepted,
        kept: [...kept.values()],
        keptUnchanged: kept.size - changed.length,
        problems,
      };
    }
    for (const policy of losing) {
      kept.set(policy.name, policy);
      if (isUnchanged(policy, drafts)) continue;
      earlier.push(...round.problems.filter((problem) => problem.policy === policy.name));
    }
  }
}

/** Policies in force that the texts still speak of, with the resource that does. */
function declaredInForce(
  resources: readonly RawResource[],
  standing: readonly Policy[],
): ReadonlyMap<Policy, RawResource> {
  const declared = new Map<string | undefined, RawResource>();
  for (const resource of resources) if (!declared.has(resource.policy)) declared.set(resource.policy, resource);
  const found = new Map<Policy, RawResource>();
  for (const policy of standing) {
    const resource = declared.get(policy.name);
    if (resource !== undefined) found.set(policy, resource);
  }
  return found;
}

function isUnchanged(policy: Policy, drafts: readonly Draft[]): boolean {
  return drafts.some((draft) => draft.name === policy.name && fingerprintOf(draft) === policy.fingerprint);
}

function keptNote(resource: RawResource | undefined): readonly Problem[] {
  return resource === undefined ? [] : [problemFor(resource, { code: "previous-kept", path: ["metadata", "name"] })];
}

/** One round: those kept first, then every draft that is not one of theirs. */
function admitOnce(drafts: readonly Draft[], kept: ReadonlyMap<string, Policy>, options: AdmissionOptions) {
  const claims = new Claims(options.guards, options.allowCritical);
  const accepted: Draft[] = [];
  const problems: Problem[] = [];
  for (const policy of kept.values()) claims.admit(policy);
  for (const draft of drafts) {
    if (kept.has(draft.name)) continue;
    const objections = [...claims.objections(draft)];
    problems.push(...objections.map((finding) => problemFor(draft.resource, finding)));
    if (objections.length > 0) continue;
    claims.admit(draft);
    accepted.push(draft);
  }
  return { accepted, claims, problems, names: new Set(accepted.map((draft) => draft.name)) };
}

/** Warnings that take all who were admitted to see. */
function remarks(accepted: readonly Draft[], claims: Claims, options: AdmissionOptions): readonly Problem[] {
  const served = new Set(options.served.map(portKey));
  const byName = new Map(accepted.map((draft) => [draft.name, draft]));
  const beginnings = new Map<string, Problem>();
  for (const longer of accepted) {
    for (const { owner, action } of claims.beginnings(longer)) {
      const shorter = byName.get(owner);
      const key = `${owner} ${action}`;
      // Where one of the two is in a Secret, who may read the other would learn of it.
      if (shorter === undefined || shorter.isSecret || longer.isSecret || beginnings.has(key)) continue;
      const path = placeOfSteps(shorter, action);
      const finding: Finding = { code: "steps-beginning", path, detail: longer.name };
      beginnings.set(key, problemFor(shorter.resource, finding));
    }
  }
  const own = accepted.flatMap((draft) =>
    [...claims.remarks(draft, served)].map((finding) => problemFor(draft.resource, finding)),
  );
  return [...own, ...beginnings.values()];
}
