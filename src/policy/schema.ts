import { z } from "zod";
import { addressRule, flagsRule, knockKindRule, sentenceOf, specRules, withRules } from "./api-rule.ts";
import { conditions, observedGeneration } from "./condition.ts";
import {
  address,
  coded,
  labels,
  namespace,
  nodeSelector,
  objectName,
  openedPorts,
  openFor,
  source,
  steps,
  text,
  within,
} from "./field.ts";
import { defaultFlags, flagPattern } from "./flag-rule.ts";

/** The version and kind of the resource. */
export const apiVersion = "knockgate.io/v1alpha1";
export const kind = "KnockSequence";

const commandLine = z.array(z.string().min(1).max(1024)).min(1).max(32);
/** What the Kubernetes API adds by itself. */
const ignored = z.unknown().optional();

const metadata = z.strictObject({
  name: objectName.describe("Unique in its namespace."),
  namespace: namespace.optional().describe("Where it is missing, the agent's own."),
  labels: labels.optional().describe("As on every object of Kubernetes."),
  annotations: z.record(z.string(), z.string()).optional().describe("As on every object of Kubernetes."),
  creationTimestamp: ignored,
  deletionTimestamp: ignored,
  deletionGracePeriodSeconds: ignored,
  finalizers: ignored,
  generateName: ignored,
  generation: ignored,
  managedFields: ignored,
  ownerReferences: ignored,
  resourceVersion: ignored,
  selfLink: ignored,
  uid: ignored,
});

const stepsFrom = z.strictObject({
  secretKeyRef: z.strictObject({
    name: objectName.describe("A Secret in the policy's namespace."),
    key: text("name-invalid", /^[-._a-zA-Z0-9]+$/, 253).describe(
      "The key in it; its value is the steps, `7000/udp, 8000/tcp`.",
    ),
  }),
});

/** A union by its first two fields: exactly one kind of knock. Other kinds will be fields beside them. */
const knock = z
  .strictObject({
    steps: steps.optional().describe("The ports to knock on, in order."),
    stepsFrom: stepsFrom.optional().describe("The same from a Secret; only in a KnockSequence of the Kubernetes API."),
    within: within.default("15s").describe("Time for the whole sequence, from its first knock; 100ms to 1h."),
    tcpFlags: z
      .array(
        z
          .string()
          .max(4)
          .regex(flagPattern, coded("flag-invalid"))
          .describe("A flag, with `!` before it for must not."),
      )
      .max(12)
      .meta(withRules(flagsRule))
      .default([...defaultFlags])
      .describe("What a TCP knock must and must not carry; an empty list takes any."),
    matching: z
      .enum(["Tolerant", "Knockd"])
      .default("Tolerant")
      .describe(
        "How knocks are followed. Tolerant forgives what networks do; Knockd is as strict as knockd: a step that comes twice is a wrong one, so is a step of another such policy, and there are no decoys.",
      ),
    decoys: z
      .int()
      .min(0)
      .max(256)
      .default(64)
      .describe("Watched ports that nobody knocks on; touching one begins the sequence again."),
    target: address("target-invalid", addressRule(sentenceOf("target-invalid")))
      .optional()
      .describe("Only knocks on this local address count; default any. It narrows the knock, not what is guarded."),
  })
  .refine((value) => (value?.steps === undefined) !== (value?.stepsFrom === undefined), {
    ...coded("knock-kind"),
    when: ({ value }) => typeof value === "object" && value !== null,
  })
  .meta(withRules(knockKindRule));

const opens = z.strictObject({
  ports: openedPorts.describe("What is opened, and guarded otherwise; at most 64 single ports."),
  for: openFor.describe("How long, renewed by another knock; 100ms to 720h, `0s`: until closed."),
  established: z
    .enum(["Keep", "Cut"])
    .default("Keep")
    .describe("Keep: running connections outlive the grant. Cut: they are ended with it."),
  scope: z
    .enum(["Node", "Cluster"])
    .default("Node")
    .describe("Where the door opens: on the node that saw the knock, or on all."),
});

const run = z.strictObject({
  opened: commandLine.optional().describe("Program and arguments when the door opens; `%IP%` is the source."),
  closed: commandLine.optional().describe("The same when it closes."),
  openedV6: commandLine.optional().describe("Instead of `opened` for an IPv6 source."),
  closedV6: commandLine.optional().describe("Instead of `closed` for an IPv6 source."),
  for: openFor
    .optional()
    .describe("When `closed` runs where there is no `opens`; `0s` or nothing: when `closedBy` says so."),
});

const knockField = knock.describe("The secret knock: exactly one of steps, stepsFrom.");
const sourcesField = z
  .array(source.describe("`192.0.2.0/24`, `2001:db8::/32`, or a single address."))
  .min(1)
  .max(64)
  .default(["0.0.0.0/0", "::/0"])
  .describe("Who may knock.");
const closedByField = z
  .strictObject({
    steps: steps.describe("Ports to knock on, in order; window, flags, target and sources are those of the knock."),
  })
  .optional()
  .describe("Ends the source's grant early.");
const nodeSelectorField = nodeSelector
  .optional()
  .describe("Which nodes honour the policy, by their labels; default all.");

const spec = z
  .strictObject({
    knock: knockField,
    sources: sourcesField,
    opens: opens.optional().describe("What the knock opens for its source; needed unless there is `run`."),
    closedBy: closedByField,
    run: run.optional().describe("Commands to run; only in files, never from the API, and only with --allow-commands."),
    nodeSelector: nodeSelectorField,
  })
  .refine((value) => value?.opens !== undefined || value?.run !== undefined, {
    ...coded("nothing-to-do"),
    when: ({ value }) => typeof value === "object" && value !== null,
  });

/**
 * The resource, the one place where a field is declared: the type below, the reference page and the CRD are made here.
 * Strict: a field that is not here is a problem. Texts are checked for what they mean, not only for their form, so that
 * all problems of a resource come out at once.
 */
export const knockSequenceSchema = z.strictObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(kind),
  metadata,
  spec,
  status: ignored,
});

/** One KnockSequence that is well formed, defaults filled in; not yet compiled, so not known to get on with others. */
export type KnockSequence = z.output<typeof knockSequenceSchema>;

/**
 * The same as an object of the Kubernetes API. Commands do not exist there, so `opens` is needed; agents write `status`. The CRD
 * is made of this; where the API server sees less than `check` does is listed in test/fixture/manifests.
 */
export const knockSequenceObject = z.strictObject({
  spec: z
    .strictObject({
      knock: knockField,
      sources: sourcesField,
      opens: opens.describe("What the knock opens for its source."),
      closedBy: closedByField,
      nodeSelector: nodeSelectorField,
    })
    .meta(withRules(...specRules)),
  status: z
    .strictObject({ observedGeneration, conditions: conditions(["Accepted"]) })
    .optional()
    .describe("What validation says of this object alone; what depends on a node is in its KnockNode."),
});
