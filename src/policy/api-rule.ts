import { type ProblemCode, problemCatalogue } from "./problem-catalogue.ts";

/**
 * A check in CEL that the API server makes of a value, `self`, besides its form. In a schema's metadata these are listed under
 * the name that Kubernetes gives them in a CRD, so that they stand beside the same check of `knockgate check`.
 */
export interface ApiRule {
  readonly rule: string;
  /** What the API server says when the rule does not hold. The CRD puts the field's name before it. */
  readonly message: string;
  /** Where the refusal points to, below the value; without it to the value. */
  readonly fieldPath?: string;
}

/** A rule that refuses in the words of the problem that `check` finds. */
export function apiRule(code: ProblemCode, rule: string, fieldPath?: string): ApiRule {
  return { rule, message: sentenceOf(code), ...(fieldPath !== undefined && { fieldPath }) };
}

/** What is wrong and what to do, as `check` says it. */
export function sentenceOf(code: ProblemCode): string {
  const { wrong, mend } = problemCatalogue[code];
  return `${wrong}; ${mend}.`;
}

/** The metadata of a schema that has rules. */
export function withRules(...rules: readonly ApiRule[]) {
  return { "x-kubernetes-validations": rules };
}

/** The rule of a duration; `0s` besides where it means something. */
export function durationRule(code: ProblemCode, least: string, most: string, zero: boolean): ApiRule {
  const inRange = `duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`;
  return apiRule(code, zero ? `duration(self) == duration('0s') || (${inRange})` : inRange);
}

/**
 * Ports in CEL. A step or an opened port is a number or a text; the text has been matched with its pattern when a rule is
 * evaluated. Ports become numbers as `portKey` makes them, UDP with bit 16; ranges become lists of their ends. CEL has no names
 * for what has been computed, so a list of one stands for it: `[value].all(name, ...)`.
 */
const offset = (text: string) => `(${text}.endsWith('/udp') ? 65536 : 0)`;
const stepKey = `(type(s) == int ? s : int(s.split('/')[0]) + ${offset("s")})`;
const keysOf = (steps: string) => `${steps}.map(s, ${stepKey})`;
const ends = (port: string) => `${port}.split('/')[0].split('-').map(n, int(n) + ${offset(port)})`;
const rangesOf = (ports: string) => `${ports}.map(p, type(p) == int ? [p] : ${ends("p")})`;
const isTcp = "type(s) == int || !s.endsWith('/udp')";

/** The number of a step lies in the range of ports. */
export const stepRule = apiRule("step-invalid", "type(self) == int || int(self.split('/')[0]) <= 65535");

/** Both ends of a range do, and it does not run backwards. */
export const openedPortRule = apiRule(
  "port-invalid",
  "type(self) == int || [self.split('/')[0].split('-').map(n, int(n))].all(r, " +
    "r.all(n, n <= 65535) && r[0] <= r[r.size() - 1])",
);

/** Ports that entries name twice count twice. */
export const portCountRule = apiRule(
  "ports-too-many",
  `${rangesOf("self")}.map(r, r[r.size() - 1] - r[0] + 1).sum() <= 64`,
);

/** One address, IPv4 or IPv6. */
export function addressRule(message: string): ApiRule {
  return { rule: "isIP(self)", message };
}

/** An address or a range without bits beyond its prefix. */
export const sourceRule = apiRule("source-invalid", "isIP(self) || isCIDR(self) && cidr(self).masked() == cidr(self)");

/** Keys of labels; a CRD has no pattern for keys. */
export function labelsRule(key: RegExp, longest: number): ApiRule {
  return apiRule("label-invalid", `self.all(key, key.size() <= ${longest} && key.matches(r'${key.source}'))`);
}

/** Exactly one kind of knock. */
export const knockKindRule = apiRule("knock-kind", "has(self.steps) != has(self.stepsFrom)");

/** No flag is asked for and forbidden. */
export const flagsRule = apiRule("flags-contradict", "!self.exists(flag, ('!' + flag) in self)");

const notStepped = (steps: string) =>
  `[${keysOf(steps)}].all(keys, ${rangesOf("self.opens.ports")}.all(r, keys.all(k, k < r[0] || k > r[r.size() - 1])))`;

/** What fields of one `spec` say together. Steps in a Secret are unknown to the API server. */
export const specRules: readonly ApiRule[] = [
  apiRule("step-guarded", `!has(self.knock.steps) || ${notStepped("self.knock.steps")}`, ".knock.steps"),
  apiRule("step-guarded", `!has(self.closedBy) || ${notStepped("self.closedBy.steps")}`, ".closedBy.steps"),
  apiRule(
    "closes-as-opens",
    `!has(self.knock.steps) || !has(self.closedBy) || ${keysOf("self.knock.steps")} != ${keysOf("self.closedBy.steps")}`,
    ".closedBy.steps",
  ),
  apiRule(
    "flags-without-tcp",
    `!has(self.knock.steps) || self.knock.steps.exists(s, ${isTcp}) || ` +
      `has(self.closedBy) && self.closedBy.steps.exists(s, ${isTcp}) || ` +
      "['syn', '!ack'].all(flag, flag in self.knock.tcpFlags) && self.knock.tcpFlags.all(flag, flag in ['syn', '!ack'])",
    ".knock.tcpFlags",
  ),
];
