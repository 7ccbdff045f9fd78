import type { Port, Protocol } from "../policy/port.ts";

/** What a rule does with a packet, as far as a door is concerned. `unknown`: it may do anything. */
export type RuleVerdict =
  | { readonly kind: "accept" | "drop" | "reject" | "return" | "notrack" | "source-nat" | "unknown" | "none" }
  | { readonly kind: "jump"; readonly chain: string }
  | { readonly kind: "destination-nat"; readonly address: string | undefined; readonly port: number | undefined };

/** One rule of somebody else's table, reduced to what matters here. */
export interface ForeignRule {
  readonly verdict: RuleVerdict;
  /** Whether it concerns a new connection to this port; there may be other conditions still. */
  covers(port: Port): boolean;
  /** Whether it names ports. */
  readonly namesPorts: boolean;
  /** Whether nothing but protocol, port and "new" has to be true of a packet. */
  readonly certain: boolean;
}

/** One chain; `hook` is undefined for one that is only jumped to. */
export interface ForeignChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook: string | undefined;
  readonly type: string | undefined;
  readonly policy: string | undefined;
  readonly rules: readonly ForeignRule[];
}

type Json = Readonly<Record<string, unknown>>;
type Sets = ReadonlyMap<string, unknown>;

/**
 * Reads `nft -j list ruleset` (libnftables-json(5)), without the table of Knockgate. What is not understood is never an
 * error: it makes a rule uncertain. Undefined where it is no such listing. Pure. Sample, shortened:
 *
 *     {"nftables": [{"chain": {"family": "inet", "table": "fw", "name": "in", "type": "filter", "hook": "input", "policy": "drop"}},
 *       {"rule": {"family": "inet", "table": "fw", "chain": "in", "expr": [
 *         {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"drop": null}]}}]}
 */
export function parseForeignRules(output: string): readonly ForeignChain[] | undefined {
  const items = listOf(parseJson(output), "nftables");
  if (items === undefined) return undefined;
  const objects = (kind: string) => items.map((item) => object(object(item)[kind])).filter(isForeign);
  const sets: Sets = new Map([...objects("set"), ...objects("map")].map((set) => [key(set, set.name), set.elem]));
  const rules = groupedByChain(objects("rule"));
  return objects("chain").map((chain) => ({
    family: String(chain.family),
    table: String(chain.table),
    name: String(chain.name),
    hook: text(chain.hook),
    type: text(chain.type),
    policy: text(chain.policy),
    rules: (rules.get(key(chain, chain.name)) ?? []).map((rule) => foreignRule(rule, sets)),
  }));
}

function isForeign(entry: Json): boolean {
  return typeof entry.table === "string" && !(entry.family === "inet" && entry.table === "knockgate");
}

function key(entry: Json, name: unknown): string {
  return `${entry.family} ${entry.table} ${name}`;
}

/** Map.groupBy came with Node 21. */
function groupedByChain(rules: readonly Json[]): ReadonlyMap<string, readonly Json[]> {
  const groups = new Map<string, Json[]>();
  for (const rule of rules) {
    const group = groups.get(key(rule, rule.chain));
    if (group === undefined) groups.set(key(rule, rule.chain), [rule]);
    else group.push(rule);
  }
  return groups;
}

function foreignRule(rule: Json, sets: Sets): ForeignRule {
  const statements = Array.isArray(rule.expr) ? rule.expr.map(object) : [];
  const verdicts = statements.map(verdictOf).filter(({ kind }) => kind !== "none");
  const conditions = statements.map((statement) => conditionOf(statement, (name) => sets.get(key(rule, name))));
  return {
    verdict: verdicts.at(-1) ?? { kind: "none" },
    covers: (port) => conditions.every((condition) => condition.covers?.(port) ?? true),
    namesPorts: conditions.some((condition) => condition.namesPorts === true),
    certain: conditions.every((condition) => condition.certain),
  };
}

function verdictOf(statement: Json): RuleVerdict {
  if ("accept" in statement) return { kind: "accept" };
  if ("drop" in statement) return { kind: "drop" };
  if ("reject" in statement) return { kind: "reject" };
  if ("return" in statement) return { kind: "return" };
  if ("notrack" in statement) return { kind: "notrack" };
  if ("snat" in statement || "masquerade" in statement) return { kind: "source-nat" };
  if ("jump" in statement || "goto" in statement)
    return { kind: "jump", chain: String(object(statement.jump ?? statement.goto).target) };
  if ("dnat" in statement || "redirect" in statement) {
    const { addr, port } = object(statement.dnat ?? statement.redirect);
    return { kind: "destination-nat", address: text(addr), port: typeof port === "number" ? port : undefined };
  }
  if ("xt" in statement) return extensionVerdict(object(statement.xt));
  return { kind: "vmap" in statement ? "unknown" : "none" };
}

/** What targets of iptables do that nft does not know as its own: `iptables` has been writing to nftables since its version 1.8. */
const targets: Readonly<Record<string, RuleVerdict>> = {
  REJECT: { kind: "reject" },
  DNAT: { kind: "destination-nat", address: undefined, port: undefined },
  REDIRECT: { kind: "destination-nat", address: undefined, port: undefined },
  SNAT: { kind: "source-nat" },
  MASQUERADE: { kind: "source-nat" },
  CT: { kind: "notrack" },
  NOTRACK: { kind: "notrack" },
  LOG: { kind: "none" },
};

/** `{"xt": {"type": "target", "name": "REJECT"}}`: the name is all that nft tells of it. */
function extensionVerdict({ type, name }: Json): RuleVerdict {
  if (type === "match") return { kind: "none" };
  return targets[String(name)] ?? { kind: "unknown" };
}

interface Condition {
  readonly covers?: (port: Port) => boolean;
  readonly namesPorts?: boolean;
  readonly certain: boolean;
}

const always: Condition = { certain: true };
const perhaps: Condition = { certain: false };
/** Statements that every packet passes. */
const harmless = [
  "counter",
  "log",
  "accept",
  "drop",
  "reject",
  "return",
  "jump",
  "goto",
  "notrack",
  "dnat",
  "redirect",
  "snat",
  "masquerade",
  "mangle",
  "comment",
];

function conditionOf(statement: Json, elementsOf: (set: string) => unknown): Condition {
  if ("xt" in statement) return extensionCondition(object(statement.xt));
  if (!("match" in statement)) return harmless.some((name) => name in statement) ? always : perhaps;
  const { op, left, right } = object(statement.match);
  if (op !== "==" && op !== "in") return perhaps;
  const { payload, meta, ct } = object(left) as Record<string, unknown>;
  const { protocol, field } = object(payload);
  const values = valuesOf(right, elementsOf);
  if (field === "dport" && isTransport(protocol))
    return {
      covers: (port) =>
        (protocol === "th" || protocol === port.protocol) && values.some((value) => holds(value, port.port)),
      namesPorts: true,
      certain: true,
    };
  if (object(meta).key === "l4proto" || field === "protocol" || field === "nexthdr")
    return { covers: (port) => values.includes(port.protocol), certain: true };
  if (object(ct).key === "state") return { covers: () => values.includes("new"), certain: true };
  if (isLoopbackLink(object(meta).key, values)) return { covers: () => false, certain: true };
  return perhaps;
}

/** A target is no condition; of a match it is not told what it asks for, but that of ports has its name. */
function extensionCondition({ type, name }: Json): Condition {
  if (type === "target") return always;
  return { certain: false, namesPorts: name === "multiport" };
}

function isTransport(protocol: unknown): protocol is Protocol | "th" {
  return protocol === "tcp" || protocol === "udp" || protocol === "th";
}

function isLoopbackLink(name: unknown, values: readonly unknown[]): boolean {
  return (name === "iif" || name === "iifname") && values.length === 1 && values[0] === "lo";
}

/** The values that the right side of a match stands for: one, a list, an anonymous set, or a set by its name. */
function valuesOf(right: unknown, elementsOf: (set: string) => unknown): readonly unknown[] {
  const elements = typeof right === "string" && right.startsWith("@") ? elementsOf(right.slice(1)) : right;
  const list = Array.isArray(elements) ? elements : (object(elements).set ?? elements);
  const values = Array.isArray(list) ? list : [list];
  return values.map((value) => object(object(value).elem).val ?? value);
}

function holds(value: unknown, port: number): boolean {
  const { range } = object(value);
  if (!Array.isArray(range)) return value === port;
  return Number(range[0]) <= port && port <= Number(range[1]);
}

function parseJson(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

function listOf(value: unknown, name: string): readonly unknown[] | undefined {
  const list = object(value)[name];
  return Array.isArray(list) ? list : undefined;
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
