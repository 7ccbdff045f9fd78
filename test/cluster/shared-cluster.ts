import { inject } from "vitest";
import { Cluster } from "./cluster.ts";
import type { ClusterAccess } from "./cluster-access.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly clusterAccess: ClusterAccess;
  }
}

/** The control plane that was started for this run of the tier. Tests keep to namespaces of their own in it, and break nothing. */
export function sharedCluster(): Cluster {
  return new Cluster(inject("clusterAccess"));
}
