import { systemClock } from "../clock.ts";
import { type Answer, ApiClient, type ObjectList } from "../kubernetes/api-client.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import type { Credentials } from "../kubernetes/credentials.ts";
import { knockKinds } from "../kubernetes/resource.ts";
import type { KubeScope } from "./command-io.ts";

/** What a person asks the Kubernetes API, and where. */
export interface KubeSession {
  readonly client: ApiClient;
  readonly credentials: Credentials;
  /** Whose objects are meant; undefined: all namespaces'. */
  readonly namespace: string | undefined;
}

/** Finds the way to the API as kubectl does. Rejects with a sentence where there is none; `client` is to be closed. */
export async function openKube(scope: KubeScope): Promise<KubeSession> {
  const { KubeCredentials } = await import("../kubernetes/credentials.ts");
  const credentials = new KubeCredentials(systemClock, {
    path: scope.kubeconfig,
    context: scope.context,
    reader: "person",
  });
  const client = new ApiClient({ credentials, clock: systemClock });
  if (scope.allNamespaces) return { client, credentials, namespace: undefined };
  return { client, credentials, namespace: scope.namespace ?? (await credentials.namespace()) };
}

/** `in bastion`, or `in any namespace`. */
export function whereOf({ namespace }: Pick<KubeSession, "namespace">): string {
  return namespace === undefined ? "in any namespace" : `in the namespace ${namespace}`;
}

/** Lists objects of Knockgate's own; rejects with a sentence that says what to do where the API does not know them. */
export async function listKnock(
  { client }: Pick<KubeSession, "client">,
  plural: "knockgrants" | "knocknodes",
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<Answer<ObjectList>> {
  try {
    return await client.list({ kind: knockKinds[plural], namespace }, signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "missing") throw error;
    const sentence = `The Kubernetes API does not know ${plural}.knockgate.io: kubectl apply -f deploy/crd.yaml, or name another cluster with --context.`;
    throw new Error(sentence, { cause: error });
  }
}
