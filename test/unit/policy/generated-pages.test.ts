import { expect, test } from "vitest";
import { knockSequenceSchema } from "../../../src/policy/schema.ts";
import { schemaReference } from "../../../src/policy/schema-reference.ts";

test("the reference has a row for every field that people write", () => {
  const fields = [...schemaReference().matchAll(/^\| `([A-Za-z.0-9[\]]+)` \|/gm)].map((match) => match[1]);
  expect(fields).toEqual(
    expect.arrayContaining([
      "spec.knock.steps",
      "spec.opens.for",
      "spec.closedBy.steps",
      "spec.run.closedV6",
      "status.policies.rejections[].reason",
    ]),
  );
  expect(fields).not.toContain("metadata.managedFields");
  const top = Object.keys(knockSequenceSchema.shape).filter((name) => name !== "status");
  expect(fields.filter((field) => !field?.includes("."))).toEqual([...top, "status", "status", "spec", "status"]);
});

test("the reference tells defaults and bounds", () => {
  expect(schemaReference()).toContain("| `spec.knock.decoys` | 0 to 256 | `64` |");
  expect(schemaReference()).toContain('| `spec.knock.within` | text of at most 12 | `"15s"` |');
});
