import { parseAddress, parseCidr } from "./address.ts";
import type { RawResource } from "./document.ts";
import { parseDuration } from "./duration.ts";
import type { Finding } from "./finding.ts";
import { policyIdOf } from "./fingerprint.ts";
import { parseFlagRule } from "./flag-rule.ts";
import type { KnockdOrigin, Opening, PolicyId, RunCommands, Sequence } from "./policy.ts";
import { expandRange, parsePort, parsePortRange, portKey, portOfKey } from "./port.ts";
import type { ProblemCode } from "./problem-catalogue.ts";
import type { KnockSequence } from "./schema.ts";

/** A policy that is sound in itself; how it gets on with others is still to be seen, and its decoys are not drawn. */
export interface Draft {
  readonly id: PolicyId;
  readonly name: string;
  readonly opensBy: Sequence;
  readonly closesBy: Sequence | undefined;
  readonly opens: Opening | undefined;
  readonly run: RunCommands | undefined;
  readonly knockd?: KnockdOrigin | undefined;
  /** How many decoys each sequence is to have. */
  readonly decoys: number;
  /** Which entry of `spec.opens.ports` names the port of a key. */
  readonly entryOfPort: ReadonlyMap<number, number>;
  readonly resource: RawResource;
}

/** More single ports than this one policy may not open. */
const mostPorts = 64;

/** Compiles one well-formed resource by itself. Findings that are errors reject it; then the draft is of no use. */
export function draftPolicy(
  resource: RawResource,
  sequence: KnockSequence,
  options: { readonly allowCommands: boolean; readonly defaultNamespace: string },
): { readonly draft: Draft; readonly findings: readonly Finding[] } {
  const { metadata, spec } = sequence;
  const name = `${metadata.namespace ?? options.defaultNamespace}/${metadata.name}`;
  const id = policyIdOf(name);
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
    opensBy: sequenceOf("open", spec.knock.steps ?? []),
    closesBy: spec.closedBy === undefined ? undefined : sequenceOf("close", spec.closedBy.steps),
    opens: openingOf(spec.opens, entryOfPort),
    run: commandsOf(spec.run),
    decoys: spec.knock.decoys,
    entryOfPort,
    resource,
  };
  return { draft, findings: [...findingsOf(spec, draft, options.allowCommands)] };
}

function openingOf(opens: KnockSequence["spec"]["opens"], ports: ReadonlyMap<number, number>): Opening | undefined {
  if (opens === undefined) return undefined;
  const keys = [...ports.keys()].sort((one, other) => one - other);
  return {
    ports: keys.map(portOfKey),
    forMicros: parseDuration(opens.for) ?? 0,
    established: opens.established,
    scope: opens.scope,
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

function* findingsOf(spec: KnockSequence["spec"], draft: Draft, allowCommands: boolean): Generator<Finding> {
  const { flags } = draft.opensBy;
  if (spec.knock.stepsFrom !== undefined)
    yield { code: "steps-from-unsupported", path: ["spec", "knock", "stepsFrom"] };
  if ((flags.must & flags.mustNot) !== 0) yield { code: "flags-contradict", path: ["spec", "knock", "tcpFlags"] };
  if (draft.run !== undefined && !allowCommands) yield { code: "run-not-allowed", path: ["spec", "run"] };
  if (draft.entryOfPort.size > mostPorts) yield { code: "ports-too-many", path: ["spec", "opens", "ports"] };
  yield* stepFindings(draft);
  if (draft.opens?.forMicros === 0 && draft.closesBy === undefined)
    yield { code: "never-closes", path: ["spec", "opens", "for"] };
  if (draft.opens?.scope === "Cluster") yield { code: "scope-node-only", path: ["spec", "opens", "scope"] };
  if (spec.nodeSelector !== undefined && Object.keys(spec.nodeSelector).length > 0)
    yield { code: "node-selector-ignored", path: ["spec", "nodeSelector"] };
}

function* stepFindings({ opensBy, closesBy, entryOfPort }: Draft): Generator<Finding> {
  for (const [sequence, ...path] of [
    [opensBy, "spec", "knock", "steps"] as const,
    [closesBy, "spec", "closedBy", "steps"] as const,
  ]) {
    for (const [at, key] of sequence?.steps.entries() ?? [])
      if (entryOfPort.has(key)) yield { code: "step-guarded", path: [...path, at], detail: "by this policy itself" };
  }
  if (closesBy !== undefined && sameSteps(closesBy, opensBy))
    yield { code: "closes-as-opens", path: ["spec", "closedBy", "steps"] };
  const order = orderOf(opensBy.steps);
  if (order !== undefined) yield { code: order, path: ["spec", "knock", "steps"] };
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
