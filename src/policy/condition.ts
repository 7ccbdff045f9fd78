/** Conditions as Kubernetes has them (metav1.Condition), in all three resources. */
import { z } from "zod";

/** A time in RFC 3339, which the API server checks. */
export const timestamp = z.string().max(40).meta({ format: "date-time" });

/** One word in CamelCase. */
export const word = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Z][A-Za-z0-9]*$/);

/** Which generation of `spec` a status speaks of. */
export const observedGeneration = z.int().min(0).optional().describe("The generation of `spec` that this speaks of.");

/** More conditions than there are types today, so that a newer agent may have more than the CRD that is installed knew. */
const mostConditions = 16;

/** At most one condition of each type; `types` are those that this version writes. */
export function conditions(types: readonly string[]) {
  const condition = z.strictObject({
    type: word.describe(`${types.join(", ")}.`),
    status: z.enum(["True", "False", "Unknown"]),
    reason: word.describe("In one word, for programs."),
    message: z.string().max(4096).optional().describe("In a sentence, for people."),
    lastTransitionTime: timestamp.describe("When `status` last changed."),
    observedGeneration,
  });
  return z
    .array(condition)
    .max(mostConditions)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] })
    .optional();
}
