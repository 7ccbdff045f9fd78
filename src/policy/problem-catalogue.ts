import type { Place, Problem } from "./problem.ts";

/** An entry of the catalogue: how bad it is, what is wrong, and what to do about it. Together one sentence. */
export interface ProblemEntry {
  readonly severity: Problem["severity"];
  readonly wrong: string;
  readonly mend: string;
}

const error = (wrong: string, mend: string) => ({ severity: "error", wrong, mend }) as const;
const warning = (wrong: string, mend: string) => ({ severity: "warning", wrong, mend }) as const;

/**
 * Everything that can be wrong with a configuration. Codes are stable across releases. docs/reference/problems.md is
 * generated from this table; a test compares it with what the compiler really reports, in both directions.
 */
export const problemCatalogue = {
  "text-too-large": error("The file is larger than 1 MiB", "split it"),
  "yaml-invalid": error("The text is not valid YAML", "correct it here or just above"),
  "yaml-duplicate-key": error("The key stands twice in one mapping", "remove one of them"),
  "yaml-key": error("A key is not plain text", "write the key as a word"),
  "yaml-alias-unknown": error("The alias has no anchor before it", "correct its name, or quote the asterisk"),
  "yaml-too-deep": error("The YAML is nested deeper than 32 levels", "flatten it"),
  "yaml-too-big": error(
    "The YAML holds more than is read of one text (100,000 values, aliases counted each time)",
    "split it",
  ),
  "not-a-resource": error(
    "The document has no apiVersion and kind",
    "begin it as a KnockSequence, or move it elsewhere",
  ),
  "kind-unknown": error("Knockgate has no resource of this kind", "write kind: KnockSequence"),
  "kind-foreign": warning("The resource is not a KnockSequence and was left out", "move it elsewhere"),
  "version-unsupported": error("The apiVersion of this KnockSequence is not known", "write knockgate.io/v1alpha1"),
  "policies-too-many": error("There are more than 4,096 policies", "remove some"),
  "problems-left-out": warning("There are more problems than are shown", "correct those shown first"),

  "field-unknown": error("The field is not known", "correct its name or remove it"),
  "field-missing": error("The field is missing", "add it"),
  "type-wrong": error("The value has the wrong type", "see the reference, and mind the quotes"),
  "value-unknown": error("The value is not one of those known", "choose one of them"),
  "items-too-few": error("The list is too short", "add to it"),
  "items-too-many": error("The list is too long", "shorten it"),
  "text-too-short": error("The text is empty", "fill it in"),
  "text-too-long": error("The text is too long", "shorten it"),
  "number-out-of-range": error("The number is out of range", "stay within the bounds"),
  "name-invalid": error(
    "The name is not a DNS name (RFC 1123)",
    "use lower-case letters, digits and hyphens, and begin and end with a letter or digit",
  ),
  "step-invalid": error("The step is not one port from 1 to 65535", "write it like 7000/udp or 8000/tcp"),
  "port-invalid": error("This is not a port or a range of ports from 1 to 65535", "write 22/tcp or 6000-6010/udp"),
  "flag-invalid": error(
    "This is not a TCP flag",
    "write fin, syn, rst, psh, ack or urg, with ! before it for must not",
  ),
  "duration-invalid": error("This is not a duration", "write a whole number with a unit, such as 250ms, 10s, 5m or 1h"),
  "within-out-of-range": error("The window is shorter than 100ms or longer than 1h", "choose one in between"),
  "for-out-of-range": error(
    "The time is shorter than 100ms or longer than 720h",
    "choose one in between, or 0s for no end",
  ),
  "source-invalid": error(
    "This is not a range of addresses",
    "write 192.0.2.0/24, 2001:db8::/32 or a single address, with no bits set beyond the prefix",
  ),
  "target-invalid": error("The target is not an address", "write one IPv4 or IPv6 address of this host"),
  "label-invalid": error("This is not a label", "write a Kubernetes label name and a quoted value"),
  "knock-kind": error("A knock needs exactly one of steps and stepsFrom", "keep one"),
  "nothing-to-do": error("The policy has neither opens nor run", "say which ports it opens"),
  "ports-too-many": error("The policy opens more than 64 single ports", "split it in two policies"),
  "flags-contradict": error("A flag is asked for and forbidden", "keep one of the two"),
  "flags-without-tcp": error("Flags are asked for, but no step is TCP", "remove tcpFlags, or knock on a TCP port"),
  "steps-from-unsupported": error("Steps from a Secret can only be read from the Kubernetes API", "list them in steps"),
  "secret-not-read": error("The Secret with the steps has not been read yet", "wait until the Kubernetes API answers"),
  "secret-not-kept": error(
    "What is in Secrets is not kept over a restart, so the policy waits for the Kubernetes API, its ports guarded",
    "wait until the API answers, or pass --state-secrets",
  ),
  "secret-missing": error("The Secret with the steps does not exist", "create it in the policy's namespace"),
  "secret-key-missing": error("The Secret has no such key, or its value is no text", "add the key, or name another"),
  "secret-forbidden": error(
    "The agent may not read the Secret",
    "let its role get, list and watch this Secret by name",
  ),
  "secret-steps-invalid": error(
    "The Secret's value is not 1 to 32 steps",
    "write them like 7000/udp, 8000/tcp, separated by commas",
  ),
  "secrets-too-many": error("The policies name more than 128 Secrets", "let several policies share a Secret"),
  "run-not-allowed": error("Commands are only run with --allow-commands", "remove run, or allow them"),
  "run-from-api": error("Commands are never taken from the Kubernetes API", "remove run, or put the policy in a file"),

  "knockd-syntax": error(
    "knockd has no such setting, or the line is not written as key = value",
    "correct the key, and write it in the section where it belongs",
  ),
  "knockd-section-name": error("The section has no name", "write the door's name between the brackets"),
  "knockd-no-section": error(
    "The line stands before the first section, or the brackets of a section are not closed",
    "begin with [options] or a door's name in brackets, alone on its line",
  ),
  "knockd-no-sequence": error("The door has no sequence", "add Sequence or One_Time_Sequences"),
  "knockd-steps-too-many": error("The sequence has more than 32 steps", "shorten it"),
  "knockd-port": error("A port of the sequence is above 65535", "correct it"),
  "knockd-protocol": error("A step's protocol is neither tcp nor udp", "write 7000:udp or 8000:tcp"),
  "knockd-flag": error(
    "This is not a TCP flag",
    "write fin, syn, rst, psh, ack or urg, with ! before it for must not, separated by commas without blanks",
  ),
  "knockd-target": error("The target is not an address", "write one IPv4 or IPv6 address"),
  "one-time-missing": error("The file of one-time sequences cannot be read", "make it, or correct its path"),
  "one-time-exhausted": error(
    "The file of one-time sequences has no unused line left, and the door is disabled",
    "add lines to it",
  ),

  "closes-as-opens": error("The steps of closedBy are those that open", "give it steps of its own"),
  "name-taken": error("Another policy has this name", "rename one of them"),
  "id-taken": error("The hash of this name is that of another policy's", "rename one of them"),
  "steps-taken": error("Another policy has the same steps, and sources and target overlap", "change the steps"),
  "step-guarded": error("The step is a port that is guarded", "knock on another port: a knock port is never guarded"),
  "port-knocked": error("The port is a step of a policy", "open another port: a knock port is never guarded"),
  "port-critical": error(
    "The port belongs to the Kubernetes control plane or the kubelet",
    "leave it open, or pass --allow-critical when the nodes are trusted",
  ),

  "steps-few": warning("A sequence of fewer than three steps is found by chance", "use three steps or more"),
  "steps-contiguous": warning("The steps are neighbours, so a port scan walks through them", "spread them"),
  "steps-ascending": warning("The steps ascend, as a port scan does", "mix their order"),
  "steps-descending": warning("The steps descend, as a port scan may", "mix their order"),
  "steps-beginning": warning("The steps are the beginning of another sequence", "let the two differ from the start"),
  "step-zero": warning(
    "A step of the door is port 0, which few clients can knock on",
    "look for an empty field, a trailing comma or a name in its Sequence",
  ),
  "within-nothing": warning("Seq_Timeout is not a number above 0, so the door never opens", "write whole seconds"),
  "target-never-matches": warning(
    "The target is a host name, or not written in its shortest form: as in knockd, it never matches",
    "write the address as ip address prints it",
  ),
  "command-typography": warning(
    "The command has a dash or quote of a web page where a shell wants two hyphens or a straight quote, so it fails",
    "type -- and straight quotes",
  ),
  "opens-unguarded": warning(
    "The door's command opens a port that nothing guards, so it is as open as other firewalls leave it",
    "guard it with --guard, or let knockgate convert make a policy of the door",
  ),
  "never-closes": warning("The door has no end and no closedBy", "add closedBy, or close it with knockgate revoke"),
  "port-served": warning("The port is guarded although --serve names it", "remove it in one of the two places"),
  "established-differs": warning("Another policy says Cut for this port, which then holds for both", "let them agree"),
  "node-unknown": error(
    "This node's labels are not known, so nobody can say whether the policy is for it",
    "pass --node-name, and let the agent's role get, list and watch this Node",
  ),
  "node-selector-ignored": warning(
    "This node's labels are not known: read from a file, the policy is honoured everywhere",
    "pass --node-name, or remove nodeSelector",
  ),
  "scope-node-only": warning(
    "Only KnockSequences of the Kubernetes API join nodes: read from a text, the scope is Node",
    "remove scope, or create the resource in the API",
  ),
  "previous-kept": warning("The last accepted version of this policy stays in force", "correct the new one"),
} as const satisfies Readonly<Record<string, ProblemEntry>>;

/** A stable name for one kind of problem. */
export type ProblemCode = keyof typeof problemCatalogue;

/** Whether the text is a key of the catalogue. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(problemCatalogue, text);
}

/** A problem in the catalogue's words. `detail` stands in brackets after what is wrong; it never holds a step. */
export function problemOf(
  code: ProblemCode,
  where: { readonly policy: string | undefined; readonly field: string; readonly place: Place },
  detail?: string,
): Problem {
  const { severity, wrong, mend } = problemCatalogue[code];
  const message = `${wrong}${detail === undefined ? "" : ` (${detail})`}; ${mend}.`;
  return { severity, code, policy: where.policy, field: where.field, message, place: where.place };
}

/** The reference page of all problems, in Markdown. */
export function problemReference(): string {
  const rows = Object.entries(problemCatalogue).map(
    ([code, { severity, wrong, mend }]) => `| \`${code}\` | ${severity} | ${wrong}. | ${sentence(mend)} |`,
  );
  return `# Problems

Generated from \`src/policy/problem-catalogue.ts\` by \`npm run generate\`; do not edit.

What \`knockgate check\` and the agent say about a configuration. An *error* rejects the policy it lies in, and no other. A
*warning* rejects nothing. All problems are reported at once, with file, line, column and the field's path. The codes are
stable across releases. No message holds a step of a sequence.

| code | severity | what is wrong | what to do |
|---|---|---|---|
${rows.join("\n")}
`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
