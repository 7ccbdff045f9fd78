import { z } from "zod";
import { parseAddress, parseCidr } from "./address.ts";
import { durationPattern, parseDuration } from "./duration.ts";
import { defaultFlags, flagPattern } from "./flag-rule.ts";
import { parsePort, parsePortRange, portRangePattern } from "./port.ts";
import type { ProblemCode } from "./problem-catalogue.ts";

/** The version and kind of the resource. */
export const apiVersion = "knockgate.io/v1alpha1";
export const kind = "KnockSequence";

/** A DNS subdomain, as Kubernetes names objects (RFC 1123). */
export const namePattern = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
/** A DNS label, as Kubernetes names namespaces. */
export const namespacePattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** A label key with an optional prefix, and a label value. */
const labelKeyPattern = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Bounds, in microseconds. */
const shortest = 100e3;
const longestWithin = 3600e6;
const longestFor = 720 * 3600e6;

/** The code becomes the message, from which schema-problem.ts makes the problem. */
const coded = (code: ProblemCode) => ({ error: code });

function text(code: ProblemCode, pattern: RegExp, longest: number, means: (text: string) => boolean = () => true) {
  return z
    .string(coded(code))
    .max(longest)
    .regex(pattern, coded(code))
    .refine((value) => !pattern.test(value) || means(value), coded(code));
}

function duration(rangeCode: ProblemCode, mostMicros: number, zero: boolean) {
  const inRange = (micros: number) => (micros === 0 ? zero : micros >= shortest && micros <= mostMicros);
  return text("duration-invalid", durationPattern, 12).refine(
    (value) => !durationPattern.test(value) || inRange(parseDuration(value) ?? Number.NaN),
    coded(rangeCode),
  );
}

/** A number from 1 to 65535. */
export const portNumberSchema = (code: ProblemCode) => z.int().min(1, coded(code)).max(65535, coded(code));
const step = z
  .union(
    [
      portNumberSchema("step-invalid"),
      text("step-invalid", /^[1-9]\d{0,4}(\/(tcp|udp))?$/, 9, (port) => parsePort(port) !== undefined),
    ],
    coded("step-invalid"),
  )
  .describe("One port, `7000/udp`; without a protocol tcp.");
const openedPort = z
  .union(
    [
      portNumberSchema("port-invalid"),
      text("port-invalid", portRangePattern, 15, (range) => parsePortRange(range) !== undefined),
    ],
    coded("port-invalid"),
  )
  .describe("`22/tcp` or `6000-6010/udp`; without a protocol tcp.");
/** The ports of a sequence, in order. */
export const stepsSchema = z.array(step).min(1).max(32);
const commandLine = z.array(z.string().min(1).max(1024)).min(1).max(32);
/** What the Kubernetes API adds by itself. */
const ignored = z.unknown().optional();

const metadata = z.strictObject({
  name: text("name-invalid", namePattern, 253).describe("Unique in its namespace."),
  namespace: text("name-invalid", namespacePattern, 63).optional().describe("Where it is missing, the agent's own."),
  labels: ignored,
  annotations: ignored,
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
    name: text("name-invalid", namePattern, 253).describe("A Secret in the policy's namespace."),
    key: text("name-invalid", /^[-._a-zA-Z0-9]+$/, 253).describe(
      "The key in it; its value is the steps, comma separated.",
    ),
  }),
});

/** A union by its first two fields: exactly one kind of knock. Other kinds will be fields beside them. */
const knock = z
  .strictObject({
    steps: stepsSchema.optional().describe("The ports to knock on, in order."),
    stepsFrom: stepsFrom
      .optional()
      .describe("The same from a Secret; only read from the Kubernetes API (not in this version yet)."),
    within: duration("within-out-of-range", longestWithin, false)
      .default("15s")
      .describe("Time for the whole sequence, from its first knock; 100ms to 1h."),
    tcpFlags: z
      .array(
        z
          .string()
          .max(4)
          .regex(flagPattern, coded("flag-invalid"))
          .describe("A flag, with `!` before it for must not."),
      )
      .max(12)
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
    target: text("target-invalid", /^[0-9a-fA-F:.]+$/, 45, (address) => parseAddress(address) !== undefined)
      .optional()
      .describe("Only knocks on this local address count; default any. It narrows the knock, not what is guarded."),
  })
  .refine((value) => (value?.steps === undefined) !== (value?.stepsFrom === undefined), {
    ...coded("knock-kind"),
    when: ({ value }) => typeof value === "object" && value !== null,
  });

const opens = z.strictObject({
  ports: z.array(openedPort).min(1).max(64).describe("What is opened, and guarded otherwise; at most 64 single ports."),
  for: duration("for-out-of-range", longestFor, true).describe(
    "How long, renewed by another knock; 100ms to 720h, `0s`: until closed.",
  ),
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
  for: duration("for-out-of-range", longestFor, true)
    .optional()
    .describe("When `closed` runs where there is no `opens`; `0s` or nothing: when `closedBy` says so."),
});

const source = text("source-invalid", /^[0-9a-fA-F:.]+(\/\d{1,3})?$/, 49, (range) => parseCidr(range) !== undefined);

const spec = z
  .strictObject({
    knock: knock.describe("The secret knock: exactly one of steps, stepsFrom."),
    sources: z
      .array(source.describe("`192.0.2.0/24`, `2001:db8::/32`, or a single address."))
      .min(1)
      .max(64)
      .default(["0.0.0.0/0", "::/0"])
      .describe("Who may knock."),
    opens: opens.optional().describe("What the knock opens for its source; needed unless there is `run`."),
    closedBy: z
      .strictObject({
        steps: stepsSchema.describe(
          "Ports to knock on, in order; window, flags, target and sources are those of the knock.",
        ),
      })
      .optional()
      .describe("Ends the source's grant early."),
    run: run.optional().describe("Commands to run; only in files, never from the API, and only with --allow-commands."),
    nodeSelector: z
      .record(
        z.string().max(317).regex(labelKeyPattern, coded("label-invalid")),
        text("label-invalid", labelValuePattern, 63),
      )
      .refine((labels) => Object.keys(labels).length <= 16, coded("items-too-many"))
      .optional()
      .describe("Which nodes honour the policy, by their labels; default all."),
  })
  .refine((value) => value?.opens !== undefined || value?.run !== undefined, {
    ...coded("nothing-to-do"),
    when: ({ value }) => typeof value === "object" && value !== null,
  });

/**
 * The resource, the one place where a field is declared: the type below, the reference page and the CRD are made from it.
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
