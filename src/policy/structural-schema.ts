import type { ApiRule } from "./api-rule.ts";
import type { JsonSchema } from "./json-schema.ts";

/** A schema as a CRD takes it: OpenAPI 3.0, every level with its type, no `false` for fields that are not known. */
export type StructuralSchema = Readonly<Record<string, unknown>>;

/** What a CRD says in the same words as JSON schema. */
const kept = [
  "description",
  "type",
  "format",
  "default",
  "enum",
  "required",
  "minItems",
  "maxItems",
  "minLength",
  "maxLength",
  "maxProperties",
  "pattern",
  "minimum",
  "maximum",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
] as const satisfies readonly (keyof JsonSchema)[];

/** Turns a schema into one for a CRD; `name` is the field's, for what its rules say. */
export function structuralSchema(schema: JsonSchema, name: string): StructuralSchema {
  const { properties, items, additionalProperties, anyOf } = schema;
  const rules = schema["x-kubernetes-validations"];
  return {
    ...Object.fromEntries(kept.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]]))),
    ...(anyOf !== undefined && numberOrText(anyOf)),
    ...(properties !== undefined && { properties: structuralFields(properties) }),
    ...(items !== undefined && { items: structuralSchema(items, name) }),
    ...(typeof additionalProperties === "object" && {
      additionalProperties: structuralSchema(additionalProperties, name),
    }),
    ...(rules !== undefined && { "x-kubernetes-validations": rules.map((rule) => namedRule(rule, name)) }),
  };
}

function structuralFields(fields: Readonly<Record<string, JsonSchema>>): Readonly<Record<string, StructuralSchema>> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, structuralSchema(field, name)]));
}

/** The one union that a CRD has: bounds of the number and of the text stand side by side. */
function numberOrText(either: readonly JsonSchema[]): StructuralSchema {
  const [number, text] = either;
  if (either.length !== 2 || number?.type !== "integer" || text?.type !== "string")
    throw new TypeError("a CRD has no union but that of a whole number and a text");
  const { minimum, maximum } = number;
  const { maxLength, pattern } = text;
  const types = [{ type: "integer" }, { type: "string" }];
  return { anyOf: types, "x-kubernetes-int-or-string": true, minimum, maximum, maxLength, pattern };
}

/** The API server shows where it looked; the message says it too, for those who read nothing else. */
function namedRule({ rule, message, fieldPath }: ApiRule, name: string): ApiRule {
  const field = fieldPath === undefined ? name : fieldPath.slice(1);
  return { rule, message: `${field}: ${message}`, ...(fieldPath !== undefined && { fieldPath }) };
}
