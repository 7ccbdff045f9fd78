/**
 * What every agent of a cluster sees of one source. The agents' own streams are read where they are, on the unix socket that
 * only root may open, by `knockgate watch` run in each agent's container through the API (`pods/exec`). The alternatives were
 *
 * * a page of the HTTP port: it would show who knocks to whatever reaches that port, which tells of no source;
 * * a forwarded port: on a node's own network that reaches everything that listens on its loopback, and needs that page;
 * * objects of the API: a write for each packet of a stranger.
 *
 * Nothing listens that did not before, and what an agent tells is what it tells to root on its node. The price is the right to
 * `pods/exec` on the agents' pods, which is as much as root on the nodes' network: deploy/watchers.yaml gives it for
 * this one command.
 */
import { type Clock, systemClock } from "../clock.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import { Deadline } from "../kubernetes/deadline.ts";
import { execInPod } from "../kubernetes/pod-exec.ts";
import { formatAddress } from "../policy/address.ts";
import { type AgentPod, listAgentPods } from "./agent-pods.ts";
import type { CommandIo, ExitCode, KubeWatchArguments } from "./command-io.ts";
import { type KubeSession, openKube, whereOf } from "./kube-session.ts";
import { NodeWatchLog } from "./node-watch-log.ts";

/** The command in the agent's container ends with the connection; where that is never told, it ends after this. */
const longest = "1h";

/**
 * Follows a source on every agent until interrupted, or for so long; then says for each node why the source is not in. 1 where
 * no agent could be asked.
 */
export async function kubeWatchCommand(
  args: KubeWatchArguments,
  io: CommandIo,
  clock: Clock = systemClock,
): Promise<ExitCode> {
  const session = await openKube(args.scope);
  const deadline = new Deadline(clock, io.interrupted);
  const source = formatAddress(args.source);
  try {
    const pods = await agentsOf(session, args, deadline.signal);
    const log = new NodeWatchLog(args.output, io);
    if (io.stderr.isTty) io.stderr.write(`Watching ${source} on ${pods.length} nodes; Ctrl-C ends it.\n`);
    if (args.forMs !== undefined) deadline.within(args.forMs);
    await Promise.all(pods.map((pod) => follow(pod, { session, log, source, signal: deadline.signal })));
    log.conclude();
    return log.hasHeard ? 0 : 1;
  } finally {
    deadline.close();
    session.client.close();
  }
}

async function agentsOf(
  session: KubeSession,
  { selector, nodes }: KubeWatchArguments,
  signal: AbortSignal,
): Promise<readonly AgentPod[]> {
  const { client, namespace } = session;
  const all = await listAgentPods(client, { namespace, labelSelector: selector }, signal);
  const pods = nodes.length === 0 ? all : all.filter(({ node }) => nodes.includes(node));
  if (pods.length > 0) return pods;
  const which = nodes.length === 0 ? "" : ` on ${nodes.join(", ")}`;
  throw new Error(
    `There are no agents${which} ${whereOf(session)} (pods with ${selector}): name theirs with -n, or look in all with -A.`,
  );
}

interface Following {
  readonly session: KubeSession;
  readonly log: NodeWatchLog;
  readonly source: string;
  readonly signal: AbortSignal;
}

/** One agent, until the signal, or until it cannot be followed any longer. */
async function follow(pod: AgentPod, { session, log, source, signal }: Following): Promise<void> {
  const { namespace, name, container, place, trouble } = pod;
  if (trouble !== undefined) return log.failed(place, `its pod is ${trouble}`);
  const command = ["knockgate", "watch", source, "--output", "json", "--until-eof", "--for", longest];
  try {
    const where = { namespace, pod: name, container, command };
    const { code, words } = await execInPod(session.credentials, where, (line) => log.hears(place, line), signal);
    log.failed(place, `its knockgate watch ended with ${code}${words === "" ? "" : `: ${words}`}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code !== "stopped") log.failed(place, error.message);
  }
}
