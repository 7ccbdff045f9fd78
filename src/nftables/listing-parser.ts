import { parseAddress, parseCidr } from "../policy/address.ts";
import { rangeOf } from "./address-range.ts";
import type { ChainListing, CounterListing, SetListing, TableListing } from "./nft.ts";
import type { KeyPart, KeyType, NftChain, NftElement, NftSet } from "./objects.ts";

/**
 * Reads what `nft -a -y -p list table inet knockgate` prints. Text and not JSON, because JSON has whole seconds only:
 *
 *     table inet knockgate { # handle 1
 *     	counter guarded_dropped { # handle 2
 *     		packets 0 bytes 0
 *     	}
 *
 *     	set granted4 { # handle 11
 *     		type ipv4_addr . inet_proto . inet_service
 *     		size 10
 *     		flags timeout
 *     		elements = { 192.0.2.1 . 6 . 22 timeout 1m10s expires 1m9s972ms comment "0123abcd",
 *     			     192.0.2.2 . 6 . 22 }
 *     	}
 *
 *     	chain gate { # handle 1
 *     		type filter hook prerouting priority -160; policy accept;
 *     		iif "lo" return # handle 15
 *     	}
 *     }
 *
 * Undefined where this is no table. Objects of other kinds, and elements that cannot be read, are left out.
 */
export function parseListing(text: string): TableListing | undefined {
  const head = /^table inet knockgate \{(?: # handle (\d+))?$/m.exec(text);
  if (head === null) return undefined;
  const sets = new Map<string, SetListing>();
  const chains = new Map<string, ChainListing>();
  const counters = new Map<string, CounterListing>();
  for (const block of text.matchAll(/^\t(\w+) (\S+) \{(?: # handle (\d+))?\n((?:\t\t.*\n|\n)*)\t\}$/gm)) {
    const [, kind, name = "", handle, body = ""] = block;
    if (kind === "set") sets.set(name, parseSet(name, Number(handle), body));
    else if (kind === "chain") chains.set(name, parseChain(name, Number(handle), body));
    else if (kind === "counter") counters.set(name, parseCounter(body));
  }
  return { handle: Number(head[1]), dormant: /^\tflags .*\bdormant\b/m.test(text), sets, chains, counters };
}

/** Reads `1m9s972ms` as milliseconds. */
export function parseTimeout(text: string): number {
  const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  let sum = 0;
  for (const [, count, unit = ""] of text.matchAll(/(\d+)(ms|[dhms])/g)) sum += Number(count) * (units[unit] ?? 0);
  return sum;
}

function parseCounter(body: string): CounterListing {
  const match = /packets (\d+) bytes (\d+)/.exec(body);
  return { packets: Number(match?.[1] ?? 0), bytes: Number(match?.[2] ?? 0) };
}

function parseChain(name: string, handle: number, body: string): ChainListing {
  const lines = body
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const hookLine = lines[0]?.startsWith("type ") ? lines.shift() : undefined;
  const rules = lines.map((line) => line.replace(/ # handle \d+$/, ""));
  return { handle, chain: parseHook(name, hookLine), rules };
}

function parseHook(name: string, line: string | undefined): NftChain | undefined {
  if (line === undefined) return { kind: "chain", name };
  const match = /^type filter hook prerouting priority (-?\d+); policy accept;$/.exec(line);
  return match === null ? undefined : { kind: "chain", name, hook: { name: "prerouting", priority: Number(match[1]) } };
}

const keyTypes: ReadonlySet<string> = new Set<KeyType>(["ipv4_addr", "ipv6_addr", "inet_proto", "inet_service"]);

function parseSet(name: string, handle: number, body: string): SetListing {
  const [head = "", elementText] = body.split("elements = {");
  const words = new Map(
    head
      .split("\n")
      .map((line) => /^\s*(\S+)\s*(.*?)(?: # .*)?$/.exec(line))
      .filter((match) => match !== null)
      .map(([, word = "", rest = ""]) => [word, rest]),
  );
  const type = (words.get("type") ?? "").split(" . ");
  if (!type.every((part): part is KeyType => keyTypes.has(part))) return { handle, set: undefined, elements: [] };
  return {
    handle,
    set: shapeOf(name, type, words),
    elements: elementText === undefined ? [] : parseElements(name, type, elementText),
  };
}

/** Undefined for a set with a word that we never write: a default timeout, `dynamic`, `constant`. */
function shapeOf(name: string, type: readonly KeyType[], words: ReadonlyMap<string, string>): NftSet | undefined {
  const flags = new Set((words.get("flags") ?? "").split(",").filter((flag) => flag !== ""));
  const known = new Set(["type", "size", "flags", "auto-merge", ""]);
  for (const word of words.keys()) if (!known.has(word)) return undefined;
  for (const flag of flags) if (flag !== "interval" && flag !== "timeout") return undefined;
  const size = words.get("size");
  return {
    kind: "set",
    name,
    type,
    ...(flags.has("interval") && { interval: true }),
    ...(words.has("auto-merge") && { autoMerge: true }),
    ...(flags.has("timeout") && { timeout: true }),
    ...(size !== undefined && { size: Number(size) }),
  };
}

function parseElements(set: string, type: readonly KeyType[], text: string): NftElement[] {
  const elements: NftElement[] = [];
  const inside = text.slice(0, text.lastIndexOf("}"));
  for (const [part] of inside.matchAll(/(?:[^",]|"[^"]*")+/g)) {
    const element = parseElement(set, type, part.trim());
    if (element !== undefined) elements.push(element);
  }
  return elements;
}

function parseElement(set: string, type: readonly KeyType[], text: string): NftElement | undefined {
  const match = /^(.*?)(?: timeout (\w+))?(?: expires (\w+))?(?: comment "([^"]*)")?$/.exec(text);
  const key = match === null ? undefined : parseKey(type, match[1] ?? "");
  if (match === null || key === undefined) return undefined;
  const [, , timeout, expires, comment] = match;
  return {
    kind: "element",
    set,
    key,
    ...(timeout !== undefined && { timeoutMs: parseTimeout(timeout) }),
    ...(expires !== undefined && { expiresMs: parseTimeout(expires) }),
    ...(comment !== undefined && { comment }),
  };
}

function parseKey(type: readonly KeyType[], text: string): KeyPart[] | undefined {
  const words = text.split(" . ");
  if (words.length !== type.length) return undefined;
  const parts = words.map((word, at) => parsePart(type[at], word));
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

function parsePart(type: KeyType | undefined, word: string): KeyPart | undefined {
  if (type === "inet_service") return /^\d{1,5}$/.test(word) ? { kind: "port", port: Number(word) } : undefined;
  if (type === "inet_proto") {
    if (word === "6" || word === "tcp") return { kind: "protocol", protocol: "tcp" };
    return word === "17" || word === "udp" ? { kind: "protocol", protocol: "udp" } : undefined;
  }
  return parseAddressPart(word);
}

function parseAddressPart(word: string): KeyPart | undefined {
  if (word.includes("/")) {
    const cidr = parseCidr(word);
    return cidr === undefined ? undefined : { kind: "range", ...rangeOf(cidr) };
  }
  const [firstText = "", lastText] = word.split("-");
  const first = parseAddress(firstText);
  const last = lastText === undefined ? undefined : parseAddress(lastText);
  if (first === undefined) return undefined;
  if (lastText === undefined) return { kind: "address", address: first };
  return last === undefined ? undefined : { kind: "range", first, last };
}
