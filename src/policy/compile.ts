import { type Admission, admit } from "./admission.ts";
import { isCritical } from "./conflicts.ts";
import { drawDecoys } from "./decoys.ts";
import { type ConfigText, type RawResource, readText } from "./document.ts";
import { type Draft, draftPolicy } from "./draft.ts";
import { type Finding, problemFor, rejects } from "./finding.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { draftDoor } from "./knockd-draft.ts";
import { concernOf, type NodeLabels } from "./node-selector.ts";
import type { Policy, Sequence } from "./policy.ts";
import { formatPort, type Port, portKey, portOfKey } from "./port.ts";
import type { Problem } from "./problem.ts";
import { problemOf } from "./problem-catalogue.ts";
import { knockSequenceSchema } from "./schema.ts";
import { schemaProblems } from "./schema-problem.ts";
import { unguardedDoors } from "./unguarded-doors.ts";

/** What besides the texts decides about a policy. */
export interface CompileOptions {
  /** `--guard`: guarded whether a policy opens them or not. */
  readonly guards: readonly Port[];
  /** `--serve`: never decoys. */
  readonly served: readonly Port[];
  readonly allowCommands: boolean;
  readonly allowCritical: boolean;
  /** The namespace of policies that name none. */
  readonly defaultNamespace: string;
  /** This node's, where they are known: policies for other nodes are left out before anything else is read of them. */
  readonly nodeLabels?: NodeLabels | undefined;
  /** Doors of a knockd.conf without an IPv6 target count IPv4 only (knockd's `-4`). */
  readonly onlyIpv4?: boolean;
  /** Policies in force that must not lose their doors because a new version of them is rejected; see admission.ts. */
  readonly standing?: readonly Policy[] | undefined;
}

/** The whole configuration, compiled. */
export interface Compilation {
  /** Versions kept from `standing` first, then the others as they stand in the texts. */
  readonly policies: readonly Policy[];
  /** What concerns all, then by text, line and column. */
  readonly problems: readonly Problem[];
  /** KnockSequences seen. */
  readonly declared: number;
  /** KnockSequences that are not in force as the texts have them. */
  readonly rejected: number;
  /** Names of all policies that the texts speak of, rejected ones too. */
  readonly names: ReadonlySet<string>;
  /** Those of the problems because of which `names` may lack policies: something that may be one could not be read. */
  readonly unreadable: readonly Problem[];
  /** Origins of texts that speak of a policy whose earlier version stays in force because theirs was rejected. */
  readonly outdated: ReadonlySet<string>;
  /** Ports of accepted policies, of those that wait for their Secret after a restart, and `--guard`, ascending by key. */
  readonly guarded: readonly Port[];
  /** Those of them whose connections end with the grant. */
  readonly cutting: readonly Port[];
}

/** How many policies one agent takes. */
export const mostPolicies = 4096;
const mostProblems = 2000;

/** From all texts at once to one immutable configuration and all problems. Pure; never throws, whatever the texts hold. */
export function compile(texts: readonly ConfigText[], options: CompileOptions): Compilation {
  const read = texts.map((text) => readText(text, options.defaultNamespace));
  const resources = read
    .flatMap((text) => text.resources)
    .filter(({ value }) => concernOf(value, options.nodeLabels) !== "elsewhere");
  const surplus = resources.slice(mostPolicies, mostPolicies + 1);
  const { drafts, waiting, problems } = draftAll(resources.slice(0, mostPolicies), options);
  const guards = options.guards.filter((port) => options.allowCritical || !isCritical(port));
  const admission = admit(drafts, resources, { ...options, guards });
  const policies = finish(admission, guards, options.served);
  const tooMany = surplus.map((resource) => problemFor(resource, { code: "policies-too-many", path: [] }));
  const guarded = portSet([...guards, ...[...policies, ...waiting].flatMap(({ opens }) => opens?.ports ?? [])]);
  const unguarded = unguardedDoors(admission.accepted, guarded);
  const found = [...read.flatMap((text) => text.problems), ...problems, ...admission.problems, ...unguarded];
  const nameless = problems.filter(({ policy }) => policy === undefined);
  return {
    policies,
    problems: [...guardProblems(options), ...tooMany, ...arrange(found, texts)],
    declared: resources.length,
    rejected: resources.length - admission.accepted.length - admission.keptUnchanged,
    names: new Set(resources.flatMap(({ policy }) => policy ?? [])),
    unreadable: [...read.flatMap((text) => text.unreadable), ...nameless, ...tooMany],
    outdated: new Set(admission.problems.flatMap(({ code, place }) => (code === "previous-kept" ? place.origin : []))),
    guarded,
    cutting: portSet(policies.flatMap(({ opens }) => (opens?.established === "Cut" ? opens.ports : []))),
  };
}

/** Each resource by itself. */
function draftAll(resources: readonly RawResource[], options: CompileOptions) {
  const drafts: Draft[] = [];
  const waiting: Draft[] = [];
  const problems: Problem[] = [];
  const take = (resource: RawResource, { draft, findings }: { draft: Draft; findings: readonly Finding[] }) => {
    problems.push(...findings.map((finding) => problemFor(resource, finding)));
    const rejections = findings.filter(rejects);
    if (rejections.length === 0) drafts.push(draft);
    // It was in force before the restart: until its steps are known nobody gets in, and nobody else does either.
    else if (rejections.every(({ code }) => code === "secret-not-kept")) waiting.push(draft);
  };
  for (const resource of resources) {
    if (resource.door !== undefined) {
      take(resource, draftDoor(resource, resource.door, options));
      continue;
    }
    const parsed = knockSequenceSchema.safeParse(resource.value);
    if (parsed.success) take(resource, draftPolicy(resource, parsed.data, options));
    else problems.push(...schemaProblems(resource, parsed.error.issues));
  }
  return { drafts, waiting, problems };
}

/** Draws the decoys, which takes the steps and doors of all. A kept version only loses those that are needed elsewhere now. */
function finish({ kept, accepted }: Admission, guards: readonly Port[], served: readonly Port[]): readonly Policy[] {
  const taken = new Set([...guards, ...served].map(portKey));
  for (const { opensBy, closesBy, opens } of [...kept, ...accepted]) {
    for (const key of [...opensBy.steps, ...(closesBy?.steps ?? [])]) taken.add(key);
    for (const port of opens?.ports ?? []) taken.add(portKey(port));
  }
  const isTaken = (key: number) => taken.has(key);
  const thin = (sequence: Sequence) => ({ ...sequence, decoys: sequence.decoys.filter((key) => !isTaken(key)) });
  const keptPolicies = kept.map((policy) => withSequences(policy, thin));
  return [...keptPolicies, ...accepted.map((draft) => policyOf(draft, isTaken))];
}

function policyOf(draft: Draft, isTaken: (key: number) => boolean): Policy {
  const { id, name, uid, opensBy, closesBy, opens, run, knockd, decoys } = draft;
  const policy = { id, name, uid, opensBy, closesBy, opens, run, knockd, fingerprint: fingerprintOf(draft) };
  const count = opensBy.matching === "Knockd" ? 0 : decoys; // knockd does not see ports that nobody knocks on
  return withSequences(policy, (sequence) => ({ ...sequence, decoys: drawDecoys(sequence.steps, count, isTaken) }));
}

function withSequences(policy: Policy, change: (sequence: Sequence) => Sequence): Policy {
  const { opensBy, closesBy } = policy;
  return { ...policy, opensBy: change(opensBy), closesBy: closesBy === undefined ? undefined : change(closesBy) };
}

/** A critical `--guard` is not guarded, and said to be so. */
function guardProblems({ guards, allowCritical }: CompileOptions): readonly Problem[] {
  const where = { policy: undefined, field: "", place: { origin: "--guard" } };
  return guards
    .filter((port) => isCritical(port) && !allowCritical)
    .map((port) => problemOf("port-critical", where, formatPort(port)));
}

function portSet(ports: readonly Port[]): readonly Port[] {
  return [...new Set(ports.map(portKey))].sort((one, other) => one - other).map(portOfKey);
}

/** In the order of the texts, each problem once, and no more than people can use. */
function arrange(problems: readonly Problem[], texts: readonly ConfigText[]): readonly Problem[] {
  const order = new Map(texts.map((text, at) => [text.origin, at]));
  const rank = ({ place }: Problem) => order.get(place.origin) ?? -1;
  const sorted = [...problems].sort(
    (one, other) =>
      rank(one) - rank(other) ||
      (one.place.line ?? 0) - (other.place.line ?? 0) ||
      (one.place.column ?? 0) - (other.place.column ?? 0),
  );
  const [surplus] = sorted.slice(mostProblems);
  if (surplus === undefined) return sorted;
  const where = { policy: undefined, field: "", place: surplus.place };
  return [...sorted.slice(0, mostProblems), problemOf("problems-left-out", where)];
}
