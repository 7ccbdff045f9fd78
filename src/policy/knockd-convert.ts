import { compile, mostPolicies } from "./compile.ts";
import { policyYaml } from "./converted-policy.ts";
import { readKnockdConf } from "./knockd-conf.ts";
import { type ConversionOptions, convertDoors, type DoorFate } from "./knockd-conversion.ts";
import { faultProblems } from "./knockd-document.ts";
import type { Problem } from "./problem.ts";

/** A knockd.conf as KnockSequences, or what is wrong with the file. */
export type Conversion =
  | { readonly kind: "converted"; readonly yaml: string; readonly fates: readonly DoorFate[] }
  | { readonly kind: "faulty"; readonly problems: readonly Problem[] };

/** Where the text comes from, and whether doors stay as strict as knockd's. */
export interface ConvertOptions {
  readonly origin: string;
  readonly keepMatching: boolean;
}

/**
 * Converts a knockd.conf to YAML that the compiler accepts (with commands allowed). A door that it would reject, because its port
 * is knocked on by another one for example, keeps its commands instead; one that still cannot stand is left out. Pure; never throws.
 */
export function convertKnockdConf(text: string, { origin, keepMatching }: ConvertOptions): Conversion {
  const { doors, settings, faults } = readKnockdConf(text);
  if (faults.length > 0) return { kind: "faulty", problems: faultProblems(faults, origin) };
  const surplus = doors.slice(mostPolicies).map(({ line }) => [line, surplusWords] as const);
  let options: ConversionOptions = {
    keepMatching,
    asKnockd: new Set(),
    asCommands: new Map(),
    leftOut: new Map(surplus),
  };
  for (;;) {
    const fates = convertDoors(doors, options);
    const rejections = rejectionsOf(fates);
    if (rejections.length === 0) {
      const head = headOf(origin, settings.interface);
      return { kind: "converted", yaml: `${head}${fates.map(documentOf).join("")}`, fates };
    }
    options = yielding(options, rejections, fates);
  }
}

const surplusWords = `the file has more than ${mostPolicies} doors, and one agent takes no more`;

interface Rejection {
  readonly fate: DoorFate;
  readonly problem: Problem;
}

/** What the compiler says about the policies together. */
function rejectionsOf(fates: readonly DoorFate[]): readonly Rejection[] {
  const made = fates.filter(({ policy }) => policy !== undefined);
  const texts = made.map(({ policy }, at) => ({
    origin: String(at),
    format: "yaml" as const,
    text: policy === undefined ? "" : policyYaml(policy),
  }));
  const asked = { guards: [], served: [], allowCommands: true, allowCritical: false, defaultNamespace: "default" };
  const { problems } = compile(texts, asked);
  const first = new Map<string, Problem>();
  for (const problem of problems)
    if (problem.severity === "error" && !first.has(problem.place.origin)) first.set(problem.place.origin, problem);
  return made.flatMap((fate, at) => {
    const problem = first.get(String(at));
    return problem === undefined ? [] : [{ fate, problem }];
  });
}

/** Each rejection costs its door something: the matching, then `opens`, then its place. So this ends. */
function yielding(
  options: ConversionOptions,
  rejections: readonly Rejection[],
  fates: readonly DoorFate[],
): ConversionOptions {
  const asKnockd = new Set(options.asKnockd);
  const asCommands = new Map(options.asCommands);
  const leftOut = new Map(options.leftOut);
  for (const { fate, problem } of rejections) {
    const { line } = fate.door;
    const why = problem.message.replace(/\.$/, "");
    const twins = fates.filter(
      ({ policy }) => policy !== undefined && String(policy.steps) === String(fate.policy?.steps),
    );
    if (
      problem.code === "steps-taken" &&
      twins.length > 1 &&
      !twins.every(({ door }) => options.asKnockd.has(door.line))
    )
      for (const { door } of twins) asKnockd.add(door.line);
    else if (fate.kind === "opens") asCommands.set(line, why);
    else leftOut.set(line, why);
  }
  return { ...options, asKnockd, asCommands, leftOut };
}

function headOf(origin: string, link: string | undefined): string {
  const listened =
    link === undefined ? [] : [`# knockd listened on ${link}: start the agent with --interface ${link}.`];
  return [`# Converted from ${origin} by knockgate convert.`, ...listened, ""].map(oneLine).join("\n");
}

/** A policy with what is to be known about it; of a door without one only that. */
function documentOf({ door, became, checks, policy }: DoorFate): string {
  const remarks = [`[${door.name}], line ${door.line}: ${became}`, ...checks.map((check) => `check: ${check}`)];
  const comments = remarks.map((remark) => `# ${oneLine(remark)}\n`).join("");
  return policy === undefined ? comments : `---\n${comments}${policyYaml(policy)}`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{C}/gu, "?");
}
