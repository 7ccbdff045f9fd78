/** The way into a running control plane; plain values, so that it can be handed to the processes that run the tests. */
export interface ClusterAccess {
  /** `https://127.0.0.0:23790`, without a path. */
  readonly server: string;
  /** The certificate of the API server, which vouches for itself, as PEM. */
  readonly certificate: string;
  /** Of user `admin`, group system:masters. */
  readonly adminToken: string;
  /** The private key that signs tokens of service accounts, as PEM. */
  readonly signingKey: string;
  readonly issuer: string;
  /** Where kube-apiserver, etcd and kubectl lie. */
  readonly programs: string;
  /** A folder of the control plane's own, removed with it. */
  readonly folder: string;
}

/** Who asks: by a token, or as somebody whom the administrator plays. */
export type Identity =
  | { readonly token: string }
  /** With kubectl and every client that honours `as` in a kubeconfig; authorized and admitted as if it were that user. */
  | { readonly as: string; readonly groups?: readonly string[] };

/** A kubeconfig, as JSON, which every reader of one takes for YAML. */
export function kubeconfigText(access: ClusterAccess, identity: Identity, namespace = "default"): string {
  const user =
    "token" in identity
      ? { token: identity.token }
      : { token: access.adminToken, as: identity.as, ...(identity.groups && { "as-groups": identity.groups }) };
  const certificate = Buffer.from(access.certificate).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: access.server, "certificate-authority-data": certificate } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace } }],
    "current-context": "test",
  });
}
