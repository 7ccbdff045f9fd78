import { ApiError } from "../kubernetes/api-error.ts";
import type { KubeObject } from "../kubernetes/resource.ts";
import { type Address, formatAddress, parseAddress, sameAddress } from "../policy/address.ts";
import { grantAddress } from "../replication/grant-address.ts";
import { isEnding } from "../replication/grant-object.ts";
import type { CommandIo, ExitCode, KubeRevokeArguments } from "./command-io.ts";
import { type KubeSession, listKnock, openKube, whereOf } from "./kube-session.ts";

/** Deletions under way at once. */
const mostAtOnce = 8;
const nodeNote =
  "What a node has opened by itself (scope Node) is no KnockGrant: it is closed there, with knockgate revoke.\n";

/** Deletes the KnockGrants of a source, so that every node closes; 1 where it had none. Rejects where some could not be deleted. */
export async function kubeRevokeCommand(args: KubeRevokeArguments, io: CommandIo): Promise<ExitCode> {
  const { sequence } = args;
  const scope = sequence === undefined ? args.scope : { ...args.scope, namespace: sequence.namespace };
  const session = await openKube(scope);
  try {
    const { body } = await listKnock(session, "knockgrants", session.namespace, io.interrupted);
    const grants = body.objects.filter((object) => isMeant(object, args.source, sequence?.name));
    const which = `${formatAddress(args.source)}${sequence === undefined ? "" : ` by ${sequence.namespace}/${sequence.name}`}`;
    const deleted = await deleteAll(session, grants, io.interrupted);
    if (deleted === 0) io.stderr.write(`There is no KnockGrant of ${which} ${whereOf(session)}.\n`);
    else io.stdout.write(`${countOf(deleted)} of ${which} deleted: every node closes.\n`);
    io.stderr.write(nodeNote);
    return deleted === 0 ? 1 : 0;
  } finally {
    session.client.close();
  }
}

function countOf(deleted: number): string {
  return deleted === 1 ? "1 KnockGrant" : `${deleted} KnockGrants`;
}

/** Also of one that is not well formed otherwise: it may be an agent of another version that opens a door for it. */
function isMeant(object: KubeObject, source: Address, sequence: string | undefined): boolean {
  const { spec } = object as {
    readonly spec?: { readonly source?: unknown; readonly sequenceRef?: { name?: unknown } };
  };
  const own = typeof spec?.source === "string" ? parseAddress(spec.source) : undefined;
  if (own === undefined || !sameAddress(own, source) || isEnding(object)) return false;
  return sequence === undefined || spec?.sequenceRef?.name === sequence;
}

/** Resolves to how many; one that is gone meanwhile was deleted by somebody else. */
async function deleteAll({ client }: KubeSession, grants: readonly KubeObject[], signal: AbortSignal): Promise<number> {
  const waiting = [...grants];
  const failures: ApiError[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { namespace = "", name, uid } = next.metadata;
      try {
        await client.delete(grantAddress(namespace, name), signal, uid);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.code !== "missing" && error.code !== "conflict") failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, work));
  const [first] = failures;
  if (first === undefined) return grants.length;
  const done = `${grants.length - failures.length} of ${countOf(grants.length)} deleted`;
  throw new Error(`${done}: ${first.message}; doors of the others stay open.`, { cause: first });
}
