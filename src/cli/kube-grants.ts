import type { Answer, ObjectList } from "../kubernetes/api-client.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import type { CommandIo, ExitCode, KubeGrantsArguments } from "./command-io.ts";
import { grantRowsOf, type KubeGrantRow } from "./kube-grant-row.ts";
import { type KubeNodeRow, nodeRowsOf } from "./kube-node-row.ts";
import { type KubeSession, listKnock, openKube, whereOf } from "./kube-session.ts";
import { formatTable } from "./table.ts";

const nodesNote =
  "DOORS counts what a node has open by its own last word, which is some ten seconds old. Doors of scope Node are no\n" +
  "KnockGrants: whose they are is only to be seen on their node, with knockgate grants.\n";

/** Prints every KnockGrant, and how many doors each node has open. */
export async function kubeGrantsCommand(args: KubeGrantsArguments, io: CommandIo): Promise<ExitCode> {
  const session = await openKube(args.scope);
  try {
    const { body, serverMicros } = await listKnock(session, "knockgrants", session.namespace, io.interrupted);
    const grants = grantRowsOf(body.objects, serverMicros);
    const nodes = nodeRowsOf((await listNodes(session, io))?.body.objects ?? []);
    if (args.output === "json") io.stdout.write(`${JSON.stringify({ grants, nodes }, null, 2)}\n`);
    else io.stdout.write(textOf(grants, nodes, whereOf(session)));
    return 0;
  } finally {
    session.client.close();
  }
}

/** Whoever may read KnockGrants of one namespace may not see nodes: what can be shown is shown. */
async function listNodes(session: KubeSession, io: CommandIo): Promise<Answer<ObjectList> | undefined> {
  try {
    return await listKnock(session, "knocknodes", undefined, io.interrupted);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "forbidden") throw error;
    io.stderr.write(`How many doors each node has open is not shown: ${error.message}.\n`);
    return undefined;
  }
}

function textOf(grants: readonly KubeGrantRow[], nodes: readonly KubeNodeRow[], where: string): string {
  const head = ["SOURCE", "PORTS", "SEQUENCE", "NODES", "LEFT", "GRANT"];
  const first =
    grants.length === 0 ? `There are no KnockGrants ${where}.\n` : formatTable(head, grants.map(grantCells));
  if (nodes.length === 0) return first;
  const rows = nodes.map(({ node, ready, mode, doors }) => [node, ready, mode ?? "-", String(doors ?? "-")]);
  return `${first}\n${formatTable(["NODE", "READY", "MODE", "DOORS"], rows)}\n${nodesNote}`;
}

function grantCells(row: KubeGrantRow): string[] {
  const ports = row.ports === null ? "all" : row.ports.join(",");
  return [row.source, ports, row.sequence, row.node ?? "all", leftOf(row), row.grant];
}

function leftOf({ state, leftSeconds, reason }: KubeGrantRow): string {
  switch (state) {
    case "open":
      return leftSeconds === null ? "until deleted" : `${Math.ceil(leftSeconds)}s`;
    case "unknown":
      return "as its sequence says";
    case "over":
      return "over";
    case "refused":
      return `refused${reason === null ? "" : `: ${reason}`}`;
    default:
      return state satisfies never;
  }
}
