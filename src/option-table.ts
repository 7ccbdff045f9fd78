import {
  captureValue,
  choiceValue,
  cidrValue,
  configMapValue,
  countValue,
  durationValue,
  hostPortValue,
  interfaceValue,
  logPrefixValue,
  namespaceValue,
  nodeNameValue,
  optionalPathValue,
  pathValue,
  portsValue,
  socketValue,
  switchValue,
  trustValue,
  type ValueKind,
} from "./option-values.ts";

/** One option of the agent: a flag on the command line and a variable in the environment. */
export interface OptionSpec<Value = unknown, Takes extends "one" | "many" | "switch" = "one" | "many" | "switch"> {
  /** Without the dashes: `guard-address`. The variable follows from it: `KNOCKGATE_GUARD_ADDRESS`. */
  readonly name: string;
  /** `many` may be repeated, in the environment separated by commas; a `switch` has no value on the command line. */
  readonly takes: Takes;
  readonly value: ValueKind<Value>;
  /** The text that stands for an absent option; `many` begins empty and a switch is off. */
  readonly default: string | undefined;
  /** One sentence for usage and reference. */
  readonly help: string;
  /** Whether the table in the kernel depends on it, so that `knockgate ruleset` takes it too. */
  readonly shapesRuleset: boolean;
}

type Extra = { readonly shapesRuleset?: boolean };

function one<Value>(name: string, value: ValueKind<Value>, fallback: string, help: string, extra: Extra = {}) {
  return { name, takes: "one", value, default: fallback, help, shapesRuleset: false, ...extra } as OptionSpec<
    Value,
    "one"
  >;
}

function many<Value>(name: string, value: ValueKind<Value>, help: string, extra: Extra = {}) {
  return { name, takes: "many", value, default: undefined, help, shapesRuleset: false, ...extra } as OptionSpec<
    Value,
    "many"
  >;
}

function toggle(name: string, help: string, extra: Extra = {}) {
  const spec = { name, takes: "switch", value: switchValue, default: undefined, help, shapesRuleset: false, ...extra };
  return spec as OptionSpec<boolean, "switch">;
}

const ruleset = { shapesRuleset: true } as const;

/**
 * Every option of the agent; the only place where one is declared. Flags, environment, usage texts and
 * docs/reference/options.md follow from it.
 */
export const optionTable = {
  configs: many(
    "config",
    pathValue,
    "A file or folder with KnockSequence policies; changes are taken up at once.",
    ruleset,
  ),
  knockdConfs: many(
    "knockd-conf",
    pathValue,
    "A knockd.conf; its commands need --allow-commands. Changes are taken up at once.",
    ruleset,
  ),
  crd: toggle("crd", "Read KnockSequence objects from the Kubernetes API."),
  configMaps: many("configmap", configMapValue, "Read policies from this ConfigMap over the Kubernetes API."),
  namespaces: many(
    "namespace",
    namespaceValue,
    "With --crd: read the KnockSequences of this namespace. Default: the agent's own.",
  ),
  allNamespaces: toggle("all-namespaces", "With --crd: read the KnockSequences of all namespaces."),
  nodeName: one(
    "node-name",
    nodeNameValue,
    "",
    "The Node that this agent runs on; its labels decide about `nodeSelector`. Only read with --crd or --configmap.",
  ),
  kubeconfig: one(
    "kubeconfig",
    optionalPathValue,
    "",
    "How the Kubernetes API is reached. Default: KUBECONFIG, else the pod's service account, else ~/.kube/config.",
  ),
  interfaces: many(
    "interface",
    interfaceValue,
    "Tap this interface only; `any` taps all. Default: every link to the outside.",
  ),
  capture: one(
    "capture",
    captureValue,
    "live",
    "Where knocks are seen: live, on the links; or logged by a firewall, in a file (log:PATH), the journal, or standard input (-).",
  ),
  logPrefix: one(
    "log-prefix",
    logPrefixValue,
    "portknock",
    "With a capture from a log: what the firewall's rule puts before the packet.",
  ),
  mode: one(
    "mode",
    choiceValue(["enforce", "observe"]),
    "enforce",
    "Whether to close ports, or only to count what would be dropped.",
    ruleset,
  ),
  confirmWithin: one(
    "confirm-within",
    durationValue,
    "0s",
    "Fall back to observe unless a right knock from outside --trust, or `knockgate confirm`, comes in this time; 0s: enforce at once.",
  ),
  guards: many("guard", portsValue, "Guard this port whether a policy opens it or not.", ruleset),
  guardAddresses: many(
    "guard-address",
    cidrValue,
    "Guard and capture this destination though it is not an address of this host.",
    ruleset,
  ),
  trusts: many(
    "trust",
    trustValue,
    "Let this range pass the gate without a knock; no wider than /8 (IPv4) or /7 (IPv6).",
    ruleset,
  ),
  neverGrants: many(
    "never-grant",
    cidrValue,
    "Never open a door for a source in this range, unless a policy names that range itself.",
  ),
  serves: many("serve", portsValue, "With --default-drop: leave this port open to everybody.", ruleset),
  defaultDrop: toggle(
    "default-drop",
    "Drop everything to this host that is not trusted, granted, served or a reply.",
    ruleset,
  ),
  closedAs: one(
    "closed-as",
    choiceValue(["silent", "refused"]),
    "silent",
    "How a guarded port looks: silent, or refused like a closed one.",
    ruleset,
  ),
  allowCommands: toggle("allow-commands", "Let policies run commands (`run`).", ruleset),
  allowCritical: toggle(
    "allow-critical",
    "Allow guarding 6443, 10250, 2379 and 2380/tcp, without which a Kubernetes node is lost.",
    ruleset,
  ),
  maxSources: one(
    "max-sources",
    countValue(16, 16_000_000),
    "1000000",
    "How many sources' progress is remembered at once.",
  ),
  maxGrants: one(
    "max-grants",
    countValue(1, 4_000_000),
    "65536",
    "How many doors may be open at once, one a source and port.",
    ruleset,
  ),
  listen: one("listen", hostPortValue, "127.0.0.1:9780", "Where health, metrics and status are served, read-only."),
  socket: one(
    "socket",
    socketValue,
    "/run/knockgate/agent.sock",
    "The unix socket for grants, revoke, confirm and watch.",
  ),
  stateDir: one(
    "state-dir",
    pathValue,
    "/var/lib/knockgate",
    "Where the table for the next boot, the last sound policies (with their steps) and the confirmation are kept, for root alone.",
  ),
  stateSecrets: toggle(
    "state-secrets",
    "Keep what is read from Secrets in --state-dir too, so that a start without the Kubernetes API knows those steps.",
  ),
  logLevel: one(
    "log-level",
    choiceValue(["error", "warn", "info", "debug"]),
    "info",
    "The quietest lines that are logged; audit records always are.",
  ),
  logFormat: one("log-format", choiceValue(["json", "pretty"]), "json", "JSON lines for programs, or text for people."),
} as const;

export type OptionKey = keyof typeof optionTable;

/** The variable of an option: `KNOCKGATE_GUARD_ADDRESS`. */
export function variableOf(spec: OptionSpec): string {
  return `KNOCKGATE_${spec.name.replaceAll("-", "_").toUpperCase()}`;
}
