import { parseAddress, parseCidr } from "./address.ts";
import type { RawResource } from "./document.ts";
import { parseDuration } from "./duration.ts";
import type { Finding } from "./finding.ts";
import { policyIdOf } from "./fingerprint.ts";
import { defaultFlags, parseFlagRule } from "./flag-rule.ts";
import { concernOf, type NodeLabels } from "./node-selector.ts";
import {
  type KnockdOrigin,
  type Opening,
  type PolicyId,
  type RunCommands,
  type Sequence,
  sequencesOf,
} from "./policy.ts";
import { expandRange, parsePort, parsePortRange, portKey, portOfKey } from "./port.ts";
import type { ProblemCode } from "./problem-catalogue.ts";
import type { KnockSequence } from "./schema.ts";
import { parseSecretSteps } from "./secret-steps.ts";
import type { Path } from "./yaml-document.ts";

/** A policy that is sound in itself; how it gets on with others is still to be seen, and its decoys are not drawn. */
export interface Draft {
  readonly id: PolicyId;
  readonly name: string;
  /** Of the object in the Kubernetes API. */
  readonly uid: string | undefined;
  readonly opensBy: Sequence;
  readonly closesBy: Sequence | undefined;
  readonly opens: Opening | undefined;
  readonly run: RunCommands | undefined;
  readonly knockd?: KnockdOrigin | undefined;
  /** How many decoys each sequence is to have. */
  readonly decoys: number;
  /** Whether the steps that open come from a Secret: then nothing is told that tells of them. */
  readonly isSecret: boolean;
  /** Which entry of `spec.opens.ports` names the port of a key. */
  readonly entryOfPort: ReadonlyMap<number, number>;
  readonly resource: RawResource;
}

/** More single ports than this one policy may not open. */
const mostPorts = 64;
const usualFlags = parseFlagRule(defaultFlags);

/** What else decides about one resource. */
interface DraftOptions {
  readonly allowCommands: boolean;
  readonly defaultNamespace: string;
  readonly nodeLabels?: NodeLabels | undefined;
}

/** Compiles one well-formed resource by itself. Findings that are errors reject it; then the draft is of no use. */
export function draftPolicy(
  resource: RawResource,
  sequence: KnockSequence,
  options: DraftOptions,
): { readonly draft: Draft; readonly findings: readonly Finding[] } {
  const { metadata, spec } = sequence;
  const name = `${metadata.namespace ?? options.defaultNamespace}/${metadata.name}`;
  const id = policyIdOf(name);
  const uid = resource.placeOf([]).object?.uid;
  const common = {
    policy: id,
    withinMicros: parseDuration(spec.knock.within) ?? 0,
    flags: parseFlagRule(spec.knock.tcpFlags),
    matching: spec.knock.matching,
    decoys: [],
    target: spec.knock.target === undefined ? undefined : parseAddress(spec.knock.target),
    sources: spec.sources.flatMap((text) => parseCidr(text) ?? []),
  };
  const sequenceOf = (action: Sequence["action"], steps: readonly (string | number)[]): Sequence => ({
    ...common,
    action,
    steps: steps.flatMap((text) => parsePort(String(text)) ?? []).map(portKey),
  });
  const entryOfPort = expandPorts(spec.opens?.ports ?? []);
  const draft = {
    id,
    name,
    uid,
    opensBy: sequenceOf("open", spec.knock.steps ?? stepsInSecret(resource) ?? []),
    closesBy: spec.closedBy === undefined ? undefined : sequenceOf("close", spec.closedBy.steps),
    opens: openingOf(spec.opens, entryOfPort, uid),
    run: commandsOf(spec.run),
    decoys: spec.knock.decoys,
    isSecret: spec.knock.stepsFrom !== undefined,
    entryOfPort,
    resource,
  };
  return { draft, findings: [...findingsOf(spec, draft, options), ...flagFindings(spec, draft)] };
}

/** Where the steps of a sequence stand, or one of them. Those in a Secret have no places: one would tell of the steps. */
export function placeOfSteps(draft: Pick<Draft, "isSecret">, action: Sequence["action"], at?: number): Path {
  if (action === "open" && draft.isSecret) return ["spec", "knock", "stepsFrom"];
  const path = action === "open" ? ["spec", "knock", "steps"] : ["spec", "closedBy", "steps"];
  return at === undefined ? path : [...path, at];
}

function stepsInSecret({ secret }: RawResource): readonly string[] | undefined {
  return secret?.kind === "text" ? parseSecretSteps(secret.text) : undefined;
}

/** Only an object of the API has a uid, and only one whose uid is known can be joined with other nodes. */
function openingOf(
  opens: KnockSequence["spec"]["opens"],
  ports: ReadonlyMap<number, number>,
  uid: string | undefined,
): Opening | undefined {
  if (opens === undefined) return undefined;
  const keys = [...ports.keys()].sort((one, other) => one - other);
  return {
    ports: keys.map(portOfKey),
    forMicros: parseDuration(opens.for) ?? 0,
    established: opens.established,
    scope: uid === undefined ? "Node" : opens.scope,
  };
}

/** Single ports by key, with the entry that named each first. Stops soon after the bound, however wide the ranges are. */
function expandPorts(entries: readonly (string | number)[]): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const [at, entry] of entries.entries()) {
    const range = parsePortRange(String(entry));
    if (range === undefined) continue;
    const last = Math.min(range.last, range.first + mostPorts);
    for (const port of expandRange({ ...range, last })) {
      const key = portKey(port);
      if (!found.has(key)) found.set(key, at);
    }
  }
  return found;
}

function commandsOf(run: KnockSequence["spec"]["run"]): RunCommands | undefined {
  if (run === undefined) return undefined;
  const { for: runsFor, ...commands } = run;
  const forMicros = runsFor === undefined ? undefined : parseDuration(runsFor);
  return { ...commands, forMicros: forMicros === 0 ? undefined : forMicros };
}

function* findingsOf(spec: KnockSequence["spec"], draft: Draft, options: DraftOptions): Generator<Finding> {
  if (draft.isSecret) yield* secretFindings(draft.resource);
  const forbidden = draft.run === undefined ? undefined : runProblem(draft.resource, options.allowCommands);
  if (forbidden !== undefined) yield { code: forbidden, path: ["spec", "run"] };
  if (draft.entryOfPort.size > mostPorts) yield { code: "ports-too-many", path: ["spec", "opens", "ports"] };
  yield* stepFindings(draft);
  if (draft.opens?.forMicros === 0 && draft.closesBy === undefined)
    yield { code: "never-closes", path: ["spec", "opens", "for"] };
  if (spec.opens?.scope === "Cluster" && draft.uid === undefined)
    yield { code: "scope-node-only", path: ["spec", "opens", "scope"] };
  if (concernOf(draft.resource.value, options.nodeLabels) === "unknown")
    yield { code: draft.resource.isFromApi ? "node-unknown" : "node-selector-ignored", path: ["spec", "nodeSelector"] };
}

function* secretFindings({ secret, isFromApi }: RawResource): Generator<Finding> {
  const path = ["spec", "knock", "stepsFrom"];
  if (secret?.kind === "trouble") yield { code: secret.code, path };
  else if (secret === undefined) yield { code: isFromApi ? "secret-not-read" : "steps-from-unsupported", path };
  else if (parseSecretSteps(secret.text) === undefined) yield { code: "secret-steps-invalid", path };
}

function runProblem({ isFromApi }: RawResource, allowCommands: boolean): ProblemCode | undefined {
  if (isFromApi) return "run-from-api";
  return allowCommands ? undefined : "run-not-allowed";
}

function* flagFindings({ knock, closedBy }: KnockSequence["spec"], { opensBy }: Draft): Generator<Finding> {
  const { must, mustNot } = opensBy.flags;
  const path = ["spec", "knock", "tcpFlags"];
  if ((must & mustNot) !== 0) yield { code: "flags-contradict", path };
  // The default goes with any steps. Steps in a Secret are not judged by what stands beside them.
  if (knock.steps === undefined || (must === usualFlags.must && mustNot === usualFlags.mustNot)) return;
  const isTcp = (step: string | number) => parsePort(String(step))?.protocol === "tcp";
  if (![...knock.steps, ...(closedBy?.steps ?? [])].some(isTcp)) yield { code: "flags-without-tcp", path };
}

function* stepFindings(draft: Draft): Generator<Finding> {
  const { opensBy, closesBy, entryOfPort, isSecret } = draft;
  for (const sequence of sequencesOf(draft)) {
    for (const [at, key] of sequence.steps.entries())
      if (entryOfPort.has(key))
        yield { code: "step-guarded", path: placeOfSteps(draft, sequence.action, at), detail: "by this policy itself" };
  }
  if (closesBy !== undefined && sameSteps(closesBy, opensBy))
    yield { code: "closes-as-opens", path: placeOfSteps(draft, "close") };
  const order = orderOf(opensBy.steps);
  if (order !== undefined && !isSecret) yield { code: order, path: placeOfSteps(draft, "open") };
}

function sameSteps(one: Sequence, other: Sequence): boolean {
  return one.steps.length === other.steps.length && one.steps.every((key, at) => key === other.steps[at]);
}

/**
 * How a port scan would meet the steps: the most telling of the warnings. Ports count without their protocol, for scans
 * of both protocols go port by port.
 */
export function orderOf(steps: readonly number[]): ProblemCode | undefined {
  const ports = steps.map((key) => key & 0xffff);
  if (ports.length === 0) return undefined;
  if (ports.length < 3) return "steps-few";
  const sorted = [...new Set(ports)].sort((one, other) => one - other);
  const follows = (list: readonly number[], holds: (before: number, after: number) => boolean) =>
    list.every((port, at) => at === 0 || holds(list[at - 1] ?? 0, port));
  if (sorted.length > 1 && follows(sorted, (before, after) => after === before + 1)) return "steps-contiguous";
  if (follows(ports, (before, after) => after > before)) return "steps-ascending";
  return follows(ports, (before, after) => after < before) ? "steps-descending" : undefined;
}
