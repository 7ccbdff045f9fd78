import type { Cluster } from "./cluster.ts";

/** Installs the resources; resolves when the API server serves them. */
export async function installCrds(cluster: Cluster): Promise<void> {
  for (const [kind, shortName] of [
    ["KnockSequence", "kseq"],
    ["KnockGrant", "kgr"],
  ] as const)
    await installCrd(cluster, kind, shortName);
}

async function installCrd(cluster: Cluster, kind: string, shortName: string): Promise<void> {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  const crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.knockgate.io` },
    spec: {
      group: "knockgate.io",
      scope: "Namespaced",
      names: { kind, plural, singular, shortNames: [shortName] },
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
