/** What one agent says of itself: one row a node. */
import { z } from "zod";
import { conditions, word } from "./condition.ts";
import { namespace, objectName } from "./field.ts";

/** The first is what the others come to. */
const conditionTypes = ["Ready", "CaptureUp", "TableIntact", "ConfigCurrent", "APIReachable", "GateBypassed"];
/** More rejections than this are only counted. */
const mostRejections = 100;
const count = z.int().min(0);
const version = z.string().max(128).optional();

const rejection = z.strictObject({
  namespace,
  name: objectName,
  reason: word.describe("The problem's code in CamelCase: `StepGuarded` for step-guarded."),
  message: z.string().max(1024).describe("What is wrong and what to do; never a step."),
});

const policies = z.strictObject({
  accepted: count.describe("Policies in force on this node."),
  rejected: count.describe("Policies for this node that are not."),
  rejections: z
    .array(rejection)
    .max(mostRejections)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["namespace", "name"] })
    .optional()
    .describe(`Why, for the first ${mostRejections}.`),
});

const status = z.strictObject({
  nodeName: objectName.optional().describe("The Node that the agent runs on."),
  mode: z
    .enum(["enforce", "observe"])
    .optional()
    .describe("What holds now, which may be less than what --mode asks for."),
  conditions: conditions(conditionTypes),
  policies: policies.optional(),
  grants: count.optional().describe("Doors open now, by source and policy."),
  versions: z
    .strictObject({ knockgate: version, node: version, nft: version, libpcap: version, kernel: version })
    .optional()
    .describe("What the agent is, and runs on; `node` is Node.js."),
});

/** A KnockNode as an object of the Kubernetes API. People have nothing to say in it, so there is no `spec`. */
export const knockNodeObject = z.strictObject({
  status: status.optional().describe("Written by the agent of this node alone, at most once in ten seconds."),
});

/** What an agent says of itself. */
export type KnockNodeStatus = z.output<typeof status>;
