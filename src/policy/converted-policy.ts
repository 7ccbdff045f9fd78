import { flagBits } from "./flag-rule.ts";
import type { FlagRule, Matching } from "./policy.ts";
import { formatPort, type PortKey, type PortRange, portOfKey } from "./port.ts";
import { apiVersion, kind } from "./schema.ts";

/** A policy as it will be written, in the words of the resource. */
export interface ConvertedPolicy {
  readonly name: string;
  readonly steps: readonly PortKey[];
  readonly withinSeconds: number;
  readonly flags: FlagRule;
  readonly matching: Matching;
  readonly target: string | undefined;
  readonly onlyFamily: 4 | 6 | undefined;
  readonly opens:
    | { readonly ports: readonly PortRange[]; readonly forSeconds: number; readonly cuts: boolean }
    | undefined;
  readonly closedBy: readonly PortKey[] | undefined;
  readonly run: ConvertedRun | undefined;
}

/** Lines for /bin/sh; empty: none. */
export interface ConvertedRun {
  readonly opened: string;
  readonly openedV6: string | undefined;
  readonly closed: string;
  readonly closedV6: string | undefined;
  readonly forSeconds: number | undefined;
}

const longestWithin = 3600;
const longestFor = 720 * 3600;

/** The YAML of one policy, without comments. */
export function policyYaml(policy: ConvertedPolicy): string {
  const { name, opens, closedBy, run, onlyFamily } = policy;
  const lines = [
    `apiVersion: ${apiVersion}`,
    `kind: ${kind}`,
    `metadata: { name: ${name} }`,
    "spec:",
    "  knock:",
    ...knockLines(policy).map((line) => `    ${line}`),
    ...(onlyFamily === undefined ? [] : [`  sources: [${onlyFamily === 4 ? "0.0.0.0/0" : '"::/0"'}]`]),
    ...(opens === undefined ? [] : opensLines(opens)),
    ...(closedBy === undefined ? [] : [`  closedBy: { steps: [${stepsText(closedBy)}] }`]),
    ...(run === undefined ? [] : runLines(run)),
  ];
  return `${lines.join("\n")}\n`;
}

function knockLines({ steps, withinSeconds, flags, matching, target }: ConvertedPolicy): readonly string[] {
  const within = withinSeconds > 0 ? Math.min(withinSeconds, longestWithin) : 15;
  const flagText = Object.entries(flagBits).flatMap(([flag, bit]) => {
    if ((flags.must & bit) !== 0) return [flag];
    return (flags.mustNot & bit) === 0 ? [] : [`"!${flag}"`];
  });
  // Only the first packet of a connection is a knock where the door asks for no more than that.
  const isUsual = matching === "Tolerant" && (flags.must & ~flagBits.syn) === 0 && flags.mustNot === 0;
  return [
    `steps: [${stepsText(steps)}]`,
    `within: ${within}s`,
    ...(isUsual ? [] : [`tcpFlags: [${flagText.join(", ")}]`]),
    `matching: ${matching}`,
    ...(target === undefined ? [] : [`target: "${target}"`]),
  ];
}

function opensLines({ ports, forSeconds, cuts }: NonNullable<ConvertedPolicy["opens"]>): readonly string[] {
  const texts = ports.map(({ first, last, protocol }) => `${first}${last === first ? "" : `-${last}`}/${protocol}`);
  return [
    "  opens:",
    `    ports: [${texts.join(", ")}]`,
    `    for: ${durationOf(forSeconds)}`,
    ...(cuts ? ["    established: Cut"] : []),
  ];
}

function runLines({ opened, openedV6, closed, closedV6, forSeconds }: ConvertedRun): readonly string[] {
  const line = (key: string, command: string | undefined) =>
    command === undefined || command === "" ? [] : [`    ${key}: [/bin/sh, -c, ${JSON.stringify(command)}]`];
  return [
    "  run:",
    ...line("opened", opened),
    ...line("openedV6", openedV6),
    ...line("closed", closed),
    ...line("closedV6", closedV6),
    ...(forSeconds === undefined ? [] : [`    for: ${durationOf(Math.max(1, forSeconds))}`]),
  ];
}

function stepsText(steps: readonly PortKey[]): string {
  return steps.map((key) => formatPort(portOfKey(key))).join(", ");
}

function durationOf(seconds: number): string {
  return seconds < 1 && seconds > 0
    ? `${Math.max(100, Math.round(seconds * 1000))}ms`
    : `${Math.min(Math.round(seconds), longestFor)}s`;
}
