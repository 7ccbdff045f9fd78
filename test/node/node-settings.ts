/** What a kubelet, and kube-proxy beside it, are told. */
export interface NodeSettings {
  readonly name: string;
  /** Of a real interface of the machine. */
  readonly address: string;
  readonly kubeconfig: string;
  readonly runtimeSocket: string;
  readonly controlGroup: string;
}

/** How kube-proxy rewrites what is sent to a service. */
export type ProxyMode = "nftables" | "iptables";

/** Whom the kubelet answers does not matter here: nobody else is on its segment. JSON is YAML. */
export function kubeletConfiguration({ runtimeSocket, controlGroup }: NodeSettings): string {
  const never = "0%";
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    containerRuntimeEndpoint: `unix://${runtimeSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${controlGroup}`,
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      "memory.available": never,
      "nodefs.available": never,
      "nodefs.inodesFree": never,
      "imagefs.available": never,
      "imagefs.inodesFree": never,
    },
    // Sooner than usual: tests wait for what it sees.
    syncFrequency: "10s",
    configMapAndSecretChangeDetectionStrategy: "Watch",
  });
}

/** The flags of a kubelet with a configuration file. */
export function kubeletFlags(settings: NodeSettings, configuration: string): readonly string[] {
  return [
    `--config=${configuration}`,
    `--kubeconfig=${settings.kubeconfig}`,
    `--hostname-override=${settings.name}`,
    `--node-ip=${settings.address}`,
  ];
}

/** It leaves the sizes of the connection table alone: they are the whole kernel's. */
export function proxyConfiguration({ name, kubeconfig }: NodeSettings, mode: ProxyMode): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode,
    hostnameOverride: name,
    clientConnection: { kubeconfig },
    clusterCIDR: "10.244.0.0/16",
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  });
}
