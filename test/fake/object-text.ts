import type { ObjectText } from "../../src/policy/document.ts";
import type { SecretSteps } from "../../src/policy/secret-steps.ts";

/** The `spec` of a sound policy. */
export const plainSpec = { knock: { steps: ["9101/udp", 7102, "8103/tcp"] }, opens: { ports: [22], for: "30s" } };

/** The same, with steps from a Secret. */
export const secretSpec = {
  ...plainSpec,
  knock: { stepsFrom: { secretKeyRef: { name: "knocks", key: "ssh" } } },
};

let made = 0;

/** A KnockSequence of the API, as its source hands it over; each of its own name. */
export function objectText(spec: object, secret?: SecretSteps, name = `object-${made++}`): ObjectText {
  return {
    origin: `KnockSequence bastion/${name}`,
    format: "object",
    object: { namespace: "bastion", name, uid: `uid-${name}`, generation: 3 },
    value: {
      apiVersion: "knockgate.io/v1alpha1",
      kind: "KnockSequence",
      metadata: { namespace: "bastion", name, uid: `uid-${name}`, generation: 3, managedFields: [] },
      spec,
    },
    ...(secret !== undefined && { secret }),
  };
}
