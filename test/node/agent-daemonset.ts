import { agentCapabilities } from "../container/security-context.ts";

/** Where deploy/agent.yaml puts agents and binds their roles. */
export const agentNamespace = "knockgate";

/** An agent on every node, as the chart runs it, with policies of its own namespace; `args` are more flags. */
export function agentDaemonSet(image: string, args: readonly string[] = []) {
  const labels = { app: "knockgate" };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "knockgate", namespace: agentNamespace },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          hostNetwork: true,
          dnsPolicy: "ClusterFirstWithHostNet",
          serviceAccountName: "knockgate",
          automountServiceAccountToken: true,
          containers: [agentContainer(image, args)],
          volumes: [
            { name: "state", emptyDir: {} },
            { name: "run", emptyDir: { medium: "Memory" } },
          ],
        },
      },
    },
  };
}

function agentContainer(image: string, args: readonly string[]) {
  return {
    name: "agent",
    image,
    imagePullPolicy: "Never",
    args: ["agent", "--crd", ...args],
    env: [
      { name: "KNOCKGATE_NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
    ],
    readinessProbe: { httpGet: { host: "127.0.0.1", port: 9780, path: "/readyz" }, periodSeconds: 1 },
    securityContext: {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      seccompProfile: { type: "RuntimeDefault" },
      capabilities: { drop: ["ALL"], add: [...agentCapabilities] },
    },
    volumeMounts: [
      { name: "state", mountPath: "/var/lib/knockgate" },
      { name: "run", mountPath: "/run/knockgate" },
    ],
  };
}
