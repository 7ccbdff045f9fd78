import { toolboxImage } from "./toolbox-image.ts";

/** The three ways in which a pod is reached at an address of its node. */
export const servicePorts = { hostNetwork: 8022, hostPort: 8443, nodePort: 30_080 } as const;

const inPod = 8080;

/** A pod of each way, and the service behind the node port. */
export function guardedServices(namespace: string): readonly object[] {
  return [
    pod(namespace, "host-network", servicePorts.hostNetwork, { hostNetwork: true }),
    pod(namespace, "host-port", inPod, {}, { hostPort: servicePorts.hostPort }),
    pod(namespace, "node-port", inPod),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "node-port", namespace },
      spec: {
        type: "NodePort",
        selector: { app: "node-port" },
        ports: [{ port: 80, targetPort: inPod, nodePort: servicePorts.nodePort }],
      },
    },
  ];
}

function pod(namespace: string, name: string, port: number, spec: object = {}, portSpec: object = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      ...spec,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [
        {
          name: "web",
          image: toolboxImage,
          imagePullPolicy: "Never",
          command: ["/bin/busybox", "httpd", "-f", "-p", String(port), "-h", "/tmp"],
          ports: [{ containerPort: port, ...portSpec }],
          readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
        },
      ],
    },
  };
}
