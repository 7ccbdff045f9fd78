/** A door that is open on one node or on all, as an object: one row an open door. */
import { z } from "zod";
import { type ApiRule, addressRule, withRules } from "./api-rule.ts";
import { conditions, timestamp } from "./condition.ts";
import { address, objectName, openedPorts, openFor } from "./field.ts";

const unchanging: ApiRule = {
  rule: "self == oldSelf",
  message: "A grant does not change; delete it and create another.",
};

const spec = z
  .strictObject({
    sequenceRef: z
      .strictObject({ name: objectName.describe("A KnockSequence in the grant's namespace.") })
      .describe("The policy that says what may be opened."),
    source: address(
      "source-invalid",
      addressRule("This is not an address; write one, IPv4 or IPv6, without a prefix."),
    ).describe("One address, in the policy's `sources`."),
    ports: openedPorts.optional().describe("Some of the policy's ports; default all."),
    node: objectName.optional().describe("Only on this node; default on all that the policy is for."),
    for: openFor
      .optional()
      .describe("At most the policy's, which is the default; counted from the object's creationTimestamp."),
  })
  .meta(withRules(unchanging));

const status = z.strictObject({
  until: timestamp.optional().describe("When the door closes, by the API server's clock; missing: when it is closed."),
  conditions: conditions(["Accepted"]),
});

/** A KnockGrant as an object of the Kubernetes API. Deleting it closes the door; creating one opens it without a knock. */
export const knockGrantObject = z.strictObject({
  spec,
  status: status
    .optional()
    .describe(
      "Written by an agent, of grants that people made: whether the policy allows it, and until when the door is open.",
    ),
});

/** What somebody wants opened; whether the policy allows it is still to be seen. */
export type KnockGrantSpec = z.output<typeof spec>;
