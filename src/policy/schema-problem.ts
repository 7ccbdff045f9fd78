import type { z } from "zod";
import type { RawResource } from "./document.ts";
import { type Finding, problemFor } from "./finding.ts";
import { nearestName } from "./nearest-name.ts";
import type { Problem } from "./problem.ts";
import { isProblemCode, type ProblemCode } from "./problem-catalogue.ts";
import { knockSequenceSchema } from "./schema.ts";
import type { Path } from "./yaml-document.ts";

type Issue = z.core.$ZodIssue;

/** More problems of one resource than this help nobody. */
const mostShown = 50;

/** What the schema found, in the catalogue's words; every unknown field is a problem of its own. */
export function schemaProblems(
  resource: RawResource,
  issues: readonly Issue[],
  schema: z.core.$ZodType = knockSequenceSchema,
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const issue of issues) {
    for (const finding of findings(issue, resource.value, schema)) {
      if (problems.length === mostShown)
        return [...problems, problemFor(resource, { ...finding, code: "problems-left-out" })];
      problems.push(problemFor(resource, finding));
    }
  }
  return problems;
}

/** A generator, because one issue may name a hundred thousand unknown fields. */
function* findings(issue: Issue, root: unknown, schema: z.core.$ZodType): Generator<Finding> {
  const path = issue.path.map((part) => (typeof part === "symbol" ? "?" : part));
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys)
      yield { code: "field-unknown", path: [...path, key], detail: suggestion(key, fieldsAt(schema, path)) };
    return;
  }
  const code = isMissing(root, path) && issue.code !== "custom" ? "field-missing" : codeOf(issue);
  yield { code, path, detail: detailOf(issue, code, valueAt(root, path)) };
}

function codeOf(issue: Issue): ProblemCode {
  if (isProblemCode(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_value":
      return "value-unknown";
    case "too_small":
      return sizeCodes[issue.origin]?.[0] ?? "number-out-of-range";
    case "too_big":
      return sizeCodes[issue.origin]?.[1] ?? "number-out-of-range";
    case "invalid_key":
      return "label-invalid";
    default:
      return "type-wrong";
  }
}

const sizeCodes: Readonly<Record<string, readonly [ProblemCode, ProblemCode]>> = {
  array: ["items-too-few", "items-too-many"],
  string: ["text-too-short", "text-too-long"],
};

function detailOf(issue: Issue, code: ProblemCode, value: unknown): string | undefined {
  if (issue.code === "invalid_value") return choice(value, issue.values.map(String));
  if (issue.code === "too_big") return `at most ${issue.maximum}`;
  if (issue.code === "too_small") return `at least ${issue.minimum}`;
  if (code === "type-wrong" && issue.code === "invalid_type")
    return `wanted ${issue.expected === "record" ? "object" : issue.expected}`;
  return undefined;
}

function choice(value: unknown, known: readonly string[]): string {
  const near = typeof value === "string" ? nearestName(value, known) : undefined;
  return near === undefined ? `known: ${known.join(", ")}` : `did you mean ${near}?`;
}

function suggestion(key: string, known: readonly string[]): string | undefined {
  const near = nearestName(key, known);
  return near === undefined ? undefined : `did you mean ${near}?`;
}

function valueAt(root: unknown, path: Path): unknown {
  let value: unknown = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
  }
  return value;
}

function isMissing(root: unknown, path: Path): boolean {
  return path.length > 0 && valueAt(root, path) === undefined;
}

/** The names of the fields that the schema knows at a path. */
function fieldsAt(root: z.core.$ZodType, path: Path): readonly string[] {
  let schema: z.core.$ZodType | undefined = root;
  for (const part of path) schema = childOf(unwrap(schema), part);
  const inner = unwrap(schema);
  return inner?._zod.def.type === "object" ? Object.keys((inner as z.core.$ZodObject)._zod.def.shape) : [];
}

function childOf(schema: z.core.$ZodType | undefined, part: string | number): z.core.$ZodType | undefined {
  if (schema?._zod.def.type === "record") return (schema as z.core.$ZodRecord)._zod.def.valueType;
  const isObject = schema?._zod.def.type === "object";
  return isObject ? (schema as z.core.$ZodObject)._zod.def.shape[part] : undefined;
}

/** What lies under optional and default. */
function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  const inner = schema?._zod.def as { readonly innerType?: z.core.$ZodType } | undefined;
  return inner?.innerType === undefined ? schema : unwrap(inner.innerType);
}
