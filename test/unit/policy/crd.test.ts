import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { crdManifest } from "../../../src/policy/crd.ts";

/** A field of a CRD, as far as it is looked at here. */
interface Field {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly items?: Field;
  readonly additionalProperties?: Field;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message: string }[];
}

const definitions = parseAllDocuments(crdManifest()).map((document) => document.toJS());

/** Every field of the CRDs with its path, the kind first. */
const fields: readonly (readonly [string, Field])[] = definitions.flatMap(({ spec }) =>
  fieldsOf(spec.names.kind, spec.versions[0].schema.openAPIV3Schema),
);

function fieldsOf(path: string, field: Field): (readonly [string, Field])[] {
  const named = Object.entries(field.properties ?? {});
  return [
    [path, field],
    ...named.flatMap(([name, below]) => fieldsOf(`${path}.${name}`, below)),
    ...(field.items === undefined ? [] : fieldsOf(`${path}[]`, field.items)),
    ...(field.additionalProperties === undefined ? [] : fieldsOf(`${path}{}`, field.additionalProperties)),
  ];
}

describe("every field", () => {
  test("is bounded", () => {
    for (const [path, field] of fields) {
      if (field.type === "string" && field.enum === undefined) expect(field.maxLength, path).toBeGreaterThan(0);
      if (field.type === "array") expect(field.maxItems, path).toBeGreaterThan(0);
      if (field.type === "integer") expect([field.minimum, field.maximum], path).not.toContain(undefined);
      if (field.additionalProperties !== undefined) expect(field.maxProperties, path).toBeGreaterThan(0);
      if (field["x-kubernetes-int-or-string"] === true)
        expect([field.minimum, field.maximum, field.maxLength], path).not.toContain(undefined);
    }
  });

  test("has a type, as a structural schema asks", () => {
    for (const [path, field] of fields)
      expect(field.type ?? field["x-kubernetes-int-or-string"], path).toBeOneOf([
        "object",
        "array",
        "string",
        "integer",
        true,
      ]);
  });

  test("has a pattern that Go takes as well: neither looks around nor refers back", () => {
    const patterns = fields.flatMap(([, { pattern }]) => pattern ?? []);
    expect(patterns.length).toBeGreaterThan(10);
    for (const pattern of patterns) expect(pattern).not.toMatch(/\(\?[=!<]|\\[1-9bBpP]/);
  });

  test("says in its rules which field is wrong", () => {
    const rules = fields.flatMap(([path, field]) =>
      (field["x-kubernetes-validations"] ?? []).map(({ message }) => ({ path, message })),
    );
    expect(rules.length).toBeGreaterThan(15);
    for (const { path, message } of rules) {
      const name = /(\w+)(\[\])?$/.exec(path)?.[1] ?? "";
      expect(message, path).toMatch(name === "spec" ? /^[\w.]+: [A-Z].*\.$/ : new RegExp(`^${name}: [A-Z].*\\.$`));
    }
  });
});

test("commands do not exist in the API", () => {
  expect(fields.map(([path]) => path).filter((path) => path.includes("run"))).toEqual([]);
});

test("each kind has a short name, the category, a status of its own and columns without steps", () => {
  const seen = definitions.map(({ spec }) => [
    spec.names.kind,
    spec.scope,
    spec.names.shortNames,
    spec.names.categories,
  ]);
  expect(seen).toEqual([
    ["KnockSequence", "Namespaced", ["kseq"], ["knock"]],
    ["KnockNode", "Cluster", ["kn"], ["knock"]],
    ["KnockGrant", "Namespaced", ["kgr"], ["knock"]],
  ]);
  for (const { spec } of definitions) {
    const [version] = spec.versions;
    expect(version.subresources).toEqual({ status: {} });
    for (const { jsonPath } of version.additionalPrinterColumns)
      expect(jsonPath).not.toMatch(/^\.spec\.(knock|closedBy)/);
  }
});
