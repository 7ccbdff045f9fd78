import { LineCounter } from "yaml";
import { isNamespace, isObjectName } from "./field.ts";
import { type Finding, problemFor, rejects } from "./finding.ts";
import { readKnockdText } from "./knockd-document.ts";
import type { KnockdDoor } from "./knockd-door.ts";
import { nearestName } from "./nearest-name.ts";
import type { OneTimeFiles } from "./one-time.ts";
import type { ObjectIdentity, Place, Problem } from "./problem.ts";
import { problemOf } from "./problem-catalogue.ts";
import { apiVersion, kind } from "./schema.ts";
import type { SecretSteps } from "./secret-steps.ts";
import { type Path, readYaml, type YamlDocument } from "./yaml-document.ts";

/** One text of configuration; the `ConfigDocument` of the config-source stage is one. */
export type ConfigText = WrittenText | ObjectText;

/** YAML with any number of resources, or a knockd.conf. */
export interface WrittenText {
  /** What a person calls it: a path, or `ConfigMap ns/name key`. */
  readonly origin: string;
  readonly format: "yaml" | "knockd-conf";
  readonly text: string;
  /** With a knockd.conf: the one-time files that it names. */
  readonly oneTimeFiles?: OneTimeFiles | undefined;
  /** Whether it came over the Kubernetes API, from which no commands are taken. */
  readonly isFromApi?: boolean | undefined;
}

/** One KnockSequence of the Kubernetes API, as the API sent it: there are no lines in it. */
export interface ObjectText {
  /** `KnockSequence ns/name`. */
  readonly origin: string;
  readonly format: "object";
  readonly value: unknown;
  readonly object: ObjectIdentity;
  /** What the Secret holds that it takes its steps from; undefined where it takes none from one. */
  readonly secret?: SecretSteps | undefined;
}

/** A KnockSequence as it was written, before validation, or a door of a knockd.conf. */
export interface RawResource {
  readonly value: unknown;
  /** Set where the resource is a door; then there is no `value`. */
  readonly door?: KnockdDoor | undefined;
  /** `namespace/name`, where these can be read. */
  readonly policy: string | undefined;
  /** Whether it came over the Kubernetes API. */
  readonly isFromApi: boolean;
  /** What the Secret holds that it names; only where it is an object of the API. */
  readonly secret: SecretSteps | undefined;
  /** The path of a field below this resource as people read it: `spec.opens.ports[1]`, inside a List `items[0].spec`. */
  fieldOf(path: Path): string;
  placeOf(path: Path): Place;
}

/** What a text holds. */
export interface ReadText {
  readonly resources: readonly RawResource[];
  readonly problems: readonly Problem[];
  /** Those of the problems that hide which policies the text declares: something that may be one could not be read. */
  readonly unreadable: readonly Problem[];
}

/** A text may have 1 MiB: some 3,000 policies. */
export const longestText = 1 << 20;

/** Reads the resources of a text that nobody vouches for. Never throws. Resources of other kinds are left out with a warning. */
export function readText(text: ConfigText, defaultNamespace: string): ReadText {
  if (text.format === "object")
    return { resources: [resourceOf(text, defaultNamespace)], problems: [], unreadable: [] };
  if (text.text.length > longestText) {
    const place = { origin: text.origin, line: 1, column: 1 };
    const problem = problemOf("text-too-large", { policy: undefined, field: "", place });
    return { resources: [], problems: [problem], unreadable: [problem] };
  }
  if (text.format === "knockd-conf") return readKnockdText(text);
  const lines = new LineCounter();
  const reader = new TextReader(text, lines, defaultNamespace);
  for (const document of readYaml(text.text, lines)) reader.readDocument(document);
  return reader;
}

function resourceOf({ origin, value, object, secret }: ObjectText, defaultNamespace: string): RawResource {
  const place = { origin, object };
  const policy = policyName(value, defaultNamespace);
  return { value, policy, isFromApi: true, secret, fieldOf: formatPath, placeOf: () => place };
}

class TextReader implements ReadText {
  readonly resources: RawResource[] = [];
  readonly problems: Problem[] = [];
  readonly unreadable: Problem[] = [];
  private readonly text: WrittenText;
  private readonly lines: LineCounter;
  private readonly defaultNamespace: string;

  constructor(text: WrittenText, lines: LineCounter, defaultNamespace: string) {
    this.text = text;
    this.lines = lines;
    this.defaultNamespace = defaultNamespace;
  }

  readDocument(document: YamlDocument): void {
    const faults = document.faults.map(({ code, path, offset, detail }) =>
      problemOf(code, { policy: undefined, field: formatPath(path), place: this.place(offset) }, detail),
    );
    this.problems.push(...faults);
    this.unreadable.push(...faults);
    if (document.faults.length > 0 || document.value === null) return;
    const items = listItems(document.value);
    if (items === undefined) this.readResource(document, document.value, []);
    else for (const [at, item] of items.entries()) this.readResource(document, item, ["items", at]);
  }

  private readResource(document: YamlDocument, value: unknown, prefix: Path): void {
    const resource = {
      value,
      policy: policyName(value, this.defaultNamespace),
      isFromApi: this.text.isFromApi === true,
      secret: undefined,
      fieldOf: (path: Path) => formatPath([...prefix, ...path]),
      placeOf: (path: Path) => this.place(document.offsetOf([...prefix, ...path])),
    };
    const strange = strangeness(value);
    if (strange === undefined) {
      this.resources.push(resource);
      return;
    }
    const problem = problemFor(resource, strange);
    this.problems.push(problem);
    if (rejects(strange)) this.unreadable.push(problem);
  }

  private place(offset: number): Place {
    const { line, col } = this.lines.linePos(offset);
    return { origin: this.text.origin, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** The items of a `kubectl get -o yaml`. */
function listItems(value: unknown): readonly unknown[] | undefined {
  const isList = fieldText(value, "apiVersion") === "v1" && fieldText(value, "kind") === "List";
  const items = isList || fieldText(value, "kind") === `${kind}List` ? field(value, "items") : undefined;
  return Array.isArray(items) ? items : undefined;
}

/** Why a document is not a KnockSequence of the version known; undefined when it is one. */
function strangeness(value: unknown): Finding | undefined {
  const version = fieldText(value, "apiVersion");
  const kindText = fieldText(value, "kind");
  if (version === undefined || kindText === undefined) return { code: "not-a-resource", path: [] };
  const group = apiVersion.split("/")[0] ?? "";
  const ours = version === group || version.startsWith(`${group}/`);
  if (kindText === kind)
    return version === apiVersion ? undefined : { code: "version-unsupported", path: ["apiVersion"] };
  if (ours && (kindText === "KnockNode" || kindText === "KnockGrant")) return { code: "kind-foreign", path: ["kind"] };
  if (ours) return { code: "kind-unknown", path: ["kind"] };
  return nearestName(kindText, [kind]) === undefined
    ? { code: "kind-foreign", path: ["kind"] }
    : { code: "kind-unknown", path: ["kind"], detail: "did you mean KnockSequence?" };
}

function policyName(value: unknown, defaultNamespace: string): string | undefined {
  const metadata = field(value, "metadata");
  const name = fieldText(metadata, "name");
  const namespace = field(metadata, "namespace") === undefined ? defaultNamespace : fieldText(metadata, "namespace");
  if (name === undefined || namespace === undefined) return undefined;
  return isObjectName(name) && isNamespace(namespace) ? `${namespace}/${name}` : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function fieldText(value: unknown, name: string): string | undefined {
  const text = field(value, name);
  return typeof text === "string" ? text : undefined;
}

/** `spec.opens.ports[1]`. A name that is no word is not shown where a step could stand in its place. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += `${text === "" ? "" : "."}${/^[A-Za-z][A-Za-z0-9._/-]{0,79}$/.test(part) ? part : "?"}`;
  }
  return text;
}
