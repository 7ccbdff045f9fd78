import { z } from "zod";
import { knockSequenceSchema } from "./schema.ts";

/** The parts of a JSON schema that the page shows. */
interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The reference page of the resource, in Markdown. */
export function schemaReference(): string {
  const schema = z.toJSONSchema(knockSequenceSchema, { io: "input" }) as JsonSchema;
  return `# KnockSequence

Generated from \`src/policy/schema.ts\` by \`npm run generate\`; do not edit.

The same YAML serves with \`kubectl apply\`, in a ConfigMap and in a file. Durations are whole numbers with a unit: \`250ms\`,
\`10s\`, \`5m\`, \`1h\`. A field that is not listed here is a problem, and so is a key that stands twice; what Kubernetes adds to
\`metadata\` and \`status\` is ignored. At most 64 single ports are opened by one policy. What \`knockgate check\` says about a
file is explained in [problems.md](problems.md).

| field | value | default | what it means |
|---|---|---|---|
${rows(schema, "").join("\n")}
`;
}

function rows(schema: JsonSchema, prefix: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const isRequired = schema.required?.includes(name) ?? false;
    const isIgnored = Object.keys(field).length === 0;
    return isIgnored ? [] : [row(path, field, isRequired), ...rows(field, `${path}.`)];
  });
}

function row(path: string, field: JsonSchema, isRequired: boolean): string {
  const standard =
    field.default === undefined ? (isRequired ? "required" : "") : `\`${JSON.stringify(field.default)}\``;
  const item = field.items?.description;
  const meaning = [field.description, item === undefined ? undefined : `Each: ${item}`].filter(
    (text) => text !== undefined,
  );
  return `| \`${path}\` | ${valueText(field)} | ${standard} | ${meaning.join(" ")} |`;
}

function valueText(field: JsonSchema): string {
  if (field.const !== undefined) return `\`${field.const}\``;
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(", ");
  if (field.type === "array") return `${field.minItems ?? 0} to ${field.maxItems} texts`;
  if (field.type === "integer") return `${field.minimum} to ${field.maximum}`;
  if (field.type === "string") return field.maxLength === undefined ? "text" : `text of at most ${field.maxLength}`;
  return typeof field.additionalProperties === "object" ? "labels" : "object";
}
