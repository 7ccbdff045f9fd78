import { stringify } from "yaml";
import type { z } from "zod";
import { jsonSchemaOf } from "./json-schema.ts";
import { knockGrantObject } from "./knock-grant.ts";
import { knockNodeObject } from "./knock-node.ts";
import { apiVersion, knockSequenceObject } from "./schema.ts";
import { structuralSchema } from "./structural-schema.ts";

/** A column of `kubectl get`. */
interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  /** Shown only by `-o wide` when more than 0. */
  readonly priority?: number;
}

/** One of the three resources. */
export interface ResourceKind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly description: string;
  readonly object: z.ZodType;
  /** None holds a step: whoever may list policies sees the table, over somebody's shoulder too. */
  readonly columns: readonly Column[];
}

const [group = "", version = ""] = apiVersion.split("/");

function condition(type: string, part: "status" | "reason" = "status"): string {
  return `.status.conditions[?(@.type=="${type}")].${part}`;
}

const age: Column = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Since it was created.",
};

function column(name: string, jsonPath: string, description: string, more: Partial<Column> = {}): Column {
  return { name, type: "string", jsonPath, description, ...more };
}

/** The resources, in the order in which people meet them. */
export const resourceKinds: readonly ResourceKind[] = [
  {
    kind: "KnockSequence",
    plural: "knocksequences",
    shortName: "kseq",
    scope: "Namespaced",
    description: "A policy: which secret knock opens which ports for its source, and for how long.",
    object: knockSequenceObject,
    columns: [
      column("Opens", ".spec.opens.ports", "The ports that are guarded and opened."),
      column("For", ".spec.opens.for", "How long."),
      column("Scope", ".spec.opens.scope", "On the node that saw the knock, or on all."),
      column("Accepted", condition("Accepted"), "Whether the policy is valid in itself."),
      column("Reason", condition("Accepted", "reason"), "Why.", { priority: 1 }),
      age,
    ],
  },
  {
    kind: "KnockNode",
    plural: "knocknodes",
    shortName: "kn",
    scope: "Cluster",
    description: "What the agent of one node says of itself.",
    object: knockNodeObject,
    columns: [
      column("Ready", condition("Ready"), "Whether the node follows knocks and guards its ports."),
      column("Mode", ".status.mode", "Whether packets are dropped."),
      column("Accepted", ".status.policies.accepted", "Policies in force.", { type: "integer" }),
      column("Rejected", ".status.policies.rejected", "Policies for this node that are not.", { type: "integer" }),
      column("Grants", ".status.grants", "Doors open now.", { type: "integer" }),
      column("Version", ".status.versions.knockgate", "Of the agent.", { priority: 1 }),
      age,
    ],
  },
  {
    kind: "KnockGrant",
    plural: "knockgrants",
    shortName: "kgr",
    scope: "Namespaced",
    description: "An open door. Deleting it closes the door; creating one opens it without a knock.",
    object: knockGrantObject,
    columns: [
      column("Sequence", ".spec.sequenceRef.name", "The policy."),
      column("Source", ".spec.source", "For whom."),
      column("Node", ".spec.node", "Where; empty: on all nodes."),
      column("Ports", ".spec.ports", "Which ports; empty: all of the policy's."),
      column("For", ".spec.for", "How long from its creation; empty: as long as the policy allows."),
      column("Until", ".status.until", "When the door closes, where somebody opened it by hand."),
      column("Accepted", condition("Accepted"), "Whether the policy allows it, where somebody opened it by hand."),
      age,
    ],
  },
];

/** The manifest of all three, for `kubectl apply`. */
export function crdManifest(): string {
  const head = "# Generated from the schemas in src/policy by `npm run generate`; do not edit.\n";
  const documents = resourceKinds.map((kind) =>
    stringify(definition(kind), { lineWidth: 0, aliasDuplicateObjects: false }),
  );
  return `${head}${documents.join("---\n")}`;
}

function definition({ kind, plural, shortName, scope, description, object, columns }: ResourceKind) {
  const openAPIV3Schema = structuralSchema({ ...jsonSchemaOf(object), description }, kind);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ["knock"],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema },
        },
      ],
    },
  };
}
