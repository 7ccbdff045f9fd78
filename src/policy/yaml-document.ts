import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type LineCounter,
  type Node,
  type Pair,
  Parser,
  type YAMLMap,
} from "yaml";
import type { ProblemCode } from "./problem-catalogue.ts";

/** The way to a value inside a document: names of fields and positions in lists. */
export type Path = readonly (string | number)[];

/** Something wrong with the YAML itself, and where: an offset into the text. */
export interface YamlFault {
  readonly code: ProblemCode;
  readonly path: Path;
  readonly offset: number;
  readonly detail?: string | undefined;
}

/** One YAML document as plain values (mappings have no prototype), which remembers where everything stood. */
export interface YamlDocument {
  readonly value: unknown;
  readonly faults: readonly YamlFault[];
  /** Where the value at the path, or the nearest there is above it, begins: the key of a field, the item of a list. */
  offsetOf(path: Path): number;
}

/** Deeper nesting is refused before anything recurses into it. */
const deepest = 32;
/** Values of one document, those that aliases repeat counted each time. */
const mostValues = 100_000;
/** Pieces of one text: brackets, words, blanks. Three thousand policies need fewer. */
const mostPieces = 300_000;
/** Stray pieces outside of documents; the library keeps an error for each. */
const mostStray = 100;

/**
 * Reads every document of a text that nobody vouches for. Never throws, and takes a bounded time: the depth is
 * checked on the token tree before the library composes it, and aliases and duplicate keys are looked after here (the
 * library compares each key with every other, and searches the document for each alias).
 */
export function readYaml(text: string, lines: LineCounter): readonly YamlDocument[] {
  const documents: YamlDocument[] = [];
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, strict: true, lineCounter: lines });
  for (const token of boundedTokens(text, lines)) {
    if ("fault" in token) documents.push(faulty(token.fault));
    else if (token.type === "document" && isTooDeep(token)) documents.push(faulty(tooDeep(token.offset)));
    else for (const document of composer.next(token)) documents.push(readDocument(document));
  }
  for (const document of composer.end(false, text.length)) documents.push(readDocument(document));
  return documents;
}

/** The tokens of a text; where it goes too far, a fault instead of the rest. */
function* boundedTokens(text: string, lines: LineCounter): Generator<CST.Token | { readonly fault: YamlFault }> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let pieces = 0;
  let depth = 0;
  let stray = 0;
  for (const piece of new Lexer().lex(text)) {
    if (piece === "[" || piece === "{") depth++;
    if (piece === "]" || piece === "}") depth = Math.max(0, depth - 1);
    if (depth > deepest) return yield { fault: tooDeep(parser.offset) };
    for (const token of parser.next(piece)) {
      if (token.type === "error") stray++;
      yield token;
    }
    if (++pieces > mostPieces || stray > mostStray)
      return yield { fault: { code: "yaml-too-big", path: [], offset: parser.offset } };
  }
  yield* parser.end();
}

function tooDeep(offset: number): YamlFault {
  return { code: "yaml-too-deep", path: [], offset };
}

function faulty(...faults: readonly YamlFault[]): YamlDocument {
  return { value: undefined, faults, offsetOf: () => faults[0]?.offset ?? 0 };
}

/** Whether collections are nested too deep, found without recursion. */
function isTooDeep(document: CST.Document): boolean {
  const waiting: { readonly token: CST.Token | null | undefined; readonly depth: number }[] = [
    { token: document.value, depth: 1 },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next;
    if (token === null || token === undefined || !("items" in token)) continue;
    if (depth > deepest) return true;
    for (const { key, value } of token.items)
      waiting.push({ token: key, depth: depth + 1 }, { token: value, depth: depth + 1 });
  }
  return false;
}

/** The library's own messages are not shown: they quote the text, in which the steps stand. */
const reasons: Readonly<Record<string, string | undefined>> = {
  TAB_AS_INDENT: "a tab indents; YAML takes blanks only",
  BAD_INDENT: "the indentation does not fit",
  MISSING_CHAR: "a closing quote, bracket or comma is missing",
  BLOCK_AS_IMPLICIT_KEY: "two keys stand in one line",
  MULTILINE_IMPLICIT_KEY: "a key has no value, or spans two lines",
  BAD_SCALAR_START: "a value begins with a reserved character; quote it",
  UNEXPECTED_TOKEN: "something stands where nothing may",
};

function readDocument(document: Document.Parsed): YamlDocument {
  const [first] = document.errors;
  if (first !== undefined)
    return faulty({ code: "yaml-invalid", path: [], offset: first.pos[0], detail: reasons[first.code] });
  const reader = new ValueReader();
  const value = reader.read(document.contents, [], 0);
  const start = document.contents?.range?.[0] ?? document.range[0];
  return { value, faults: reader.faults, offsetOf: (path) => reader.offsetOf(document.contents, path) ?? start };
}

/** Turns the nodes of one document into values, within the bounds. */
class ValueReader {
  readonly faults: YamlFault[] = [];
  private left = mostValues;
  private readonly anchors = new Map<string, Node>();
  private readonly aliased = new Map<Node, Node | undefined>();

  read(node: unknown, path: Path, depth: number): unknown {
    if (this.left-- <= 0 || depth > deepest) {
      this.stop(depth > deepest ? "yaml-too-deep" : "yaml-too-big", node, path);
      return undefined;
    }
    if (isAlias(node)) return this.readAlias(node, path, depth);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined)
      this.anchors.set(node.anchor, node);
    if (isMap(node)) return this.readMap(node, path, depth);
    if (isSeq(node)) return node.items.map((item, at) => this.read(item, [...path, at], depth + 1));
    return isScalar(node) ? plainValue(node) : null;
  }

  offsetOf(root: unknown, path: Path): number | undefined {
    let node = this.resolve(root);
    let offset: number | undefined;
    for (const part of path) {
      const pair = isMap(node) ? node.items.find((each) => keyOf(each) === part) : undefined;
      const item = isSeq(node) && typeof part === "number" ? node.items[part] : pair?.value;
      if (pair === undefined && item === undefined) break;
      offset = startOf(pair?.key ?? item) ?? offset;
      node = this.resolve(item);
    }
    return offset;
  }

  private readAlias(alias: Alias, path: Path, depth: number): unknown {
    const node = this.anchors.get(alias.source);
    this.aliased.set(alias, node);
    if (node === undefined) this.fault("yaml-alias-unknown", alias, path);
    return node === undefined ? undefined : this.read(node, path, depth + 1);
  }

  private readMap(map: YAMLMap, path: Path, depth: number): unknown {
    const value: Record<string, unknown> = Object.create(null);
    for (const pair of map.items) {
      const key = keyOf(pair);
      if (key === undefined) this.fault("yaml-key", pair.key ?? pair.value, path);
      else if (key in value) this.fault("yaml-duplicate-key", pair.key, [...path, key]);
      else value[key] = this.read(pair.value, [...path, key], depth + 1);
    }
    return value;
  }

  private resolve(node: unknown): unknown {
    return isAlias(node) ? this.aliased.get(node) : node;
  }

  private fault(code: ProblemCode, node: unknown, path: Path): void {
    this.faults.push({ code, path, offset: startOf(node) ?? 0 });
  }

  /** One fault of its kind is enough, and nothing more is read. */
  private stop(code: ProblemCode, node: unknown, path: Path): void {
    this.left = 0;
    if (!this.faults.some((fault) => fault.code === "yaml-too-deep" || fault.code === "yaml-too-big"))
      this.fault(code, node, path);
  }
}

function keyOf(pair: Pair): string | undefined {
  return isScalar(pair.key) && pair.key.value !== null ? String(plainValue(pair.key)) : undefined;
}

function startOf(node: unknown): number | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined;
}

/**
 * A number is only one when it is written as it would be printed. `022`, `0x16` and `1e3` stay text, which no field
 * takes: kubectl and others read them as other numbers.
 */
function plainValue(scalar: { value: unknown; source?: string | undefined }): unknown {
  return typeof scalar.value === "number" && scalar.source !== String(scalar.value) ? scalar.source : scalar.value;
}
