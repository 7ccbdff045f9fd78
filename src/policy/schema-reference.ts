import { type ResourceKind, resourceKinds } from "./crd.ts";
import { type JsonSchema, jsonSchemaOf } from "./json-schema.ts";
import { knockSequenceSchema } from "./schema.ts";

/** What the page says of a kind besides its fields. */
const introductions: Readonly<Record<string, string>> = {
  KnockSequence: `The same YAML serves with \`kubectl apply\`, in a ConfigMap and in a file. A field that is not listed here is a problem, and so is
a key that stands twice; what Kubernetes adds to \`metadata\` and \`status\` is ignored in a file. At most 64 single ports are opened by
one policy. What \`knockgate check\` says about a file is explained in [problems.md](problems.md); the API server refuses what is
wrong with one object in the same words.`,
  KnockNode:
    "One for each node, written by its agent and owned by the Node, so that it goes with it. People only read it.",
  KnockGrant: `Agents create one when a policy with \`scope: Cluster\` is knocked open. People may create one to open a door without a knock, as far as
the policy it names allows: its ports, at most its \`for\`, one address within its \`sources\`.`,
};

/** The reference page of the three resources, in Markdown. */
export function schemaReference(): string {
  return `# Resources

Generated from the schemas in \`src/policy\` by \`npm run generate\`; do not edit.

All are of \`knockgate.io/v1alpha1\`. [\`deploy/crd.yaml\`](../../deploy/crd.yaml) makes them known to Kubernetes 1.34 or later. Durations are
whole numbers with a unit: \`250ms\`, \`10s\`, \`5m\`, \`1h\`.

${resourceKinds.map(section).join("\n")}`;
}

function section(resource: ResourceKind): string {
  const { kind, shortName, scope, description, columns } = resource;
  const shown = columns.filter(({ priority = 0 }) => priority === 0).map(({ name }) => name);
  const where = scope === "Cluster" ? "of the cluster" : "of a namespace";
  return `## ${kind}

${description}

${introductions[kind]}

Short name \`${shortName}\`, ${where}. \`kubectl get ${shortName}\` shows ${shown.join(", ")}.

| field | value | default | what it means |
|---|---|---|---|
${rows(fieldsOf(resource), "").join("\n")}
`;
}

/** A KnockSequence may have more in a file than in the API, and has its status only there. */
function fieldsOf({ kind, object }: ResourceKind): JsonSchema {
  const inApi = jsonSchemaOf(object);
  if (kind !== "KnockSequence") return inApi;
  const inFile = jsonSchemaOf(knockSequenceSchema);
  return { ...inFile, properties: { ...inFile.properties, status: inApi.properties?.status ?? {} } };
}

function rows(schema: JsonSchema, prefix: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const isRequired = schema.required?.includes(name) ?? false;
    const isIgnored = Object.keys(field).length === 0;
    const below = field.items === undefined ? rows(field, `${path}.`) : rows(field.items, `${path}[].`);
    return isIgnored ? [] : [row(path, field, isRequired), ...below];
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
  if (field.type === "array")
    return `${field.minItems ?? 0} to ${field.maxItems} ${field.items?.type === "object" ? "objects" : "texts"}`;
  if (field.type === "integer")
    return field.maximum === Number.MAX_SAFE_INTEGER
      ? `${field.minimum} or more`
      : `${field.minimum} to ${field.maximum}`;
  if (field.format === "date-time") return "time";
  if (field.type === "string") return field.maxLength === undefined ? "text" : `text of at most ${field.maxLength}`;
  if (typeof field.additionalProperties !== "object") return "object";
  return field.propertyNames?.pattern === undefined ? "texts by name" : "labels";
}
