import type { KubeLoaders } from "./wiring.ts";

/** The commands that speak to the Kubernetes API, for both programs that have them. */
export const kubeCommands: KubeLoaders = {
  kubeGrants: async () => (await import("./kube-grants.ts")).kubeGrantsCommand,
  kubeRevoke: async () => (await import("./kube-revoke.ts")).kubeRevokeCommand,
  kubeWatch: async () => (await import("./kube-watch.ts")).kubeWatchCommand,
};
