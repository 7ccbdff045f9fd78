import type { Cluster } from "./cluster.ts";

/** Installs the resources; resolves when the API server serves them. */
export async function installCrds(cluster: Cluster): Promise<void> {
  const crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "knocksequences.knockgate.io" },
    spec: {
      group: "knockgate.io",
      scope: "Namespaced",
      names: { kind: "KnockSequence", plural: "knocksequences", singular: "knocksequence", shortNames: ["kseq"] },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  };
  await cluster.expect(["apply", "-f", "-"], { input: JSON.stringify(crd) });
  await cluster.expect(["wait", "--for=condition=Established", "crd", crd.metadata.name]);
}
