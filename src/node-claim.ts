import type { ConditionClaim } from "./kubernetes/condition.ts";
import type { NodeClaim } from "./kubernetes/node-status.ts";
import type { StageHealth } from "./observability/health.ts";
import type { AgentStatus } from "./observability/status.ts";
import { reasonOf } from "./policy/object-verdict.ts";
import type { Problem } from "./policy/problem.ts";

/** As many rejected policies are named, and as long a message is kept, as the CRD takes. */
const mostRejections = 100;
const mostCharacters = 1024;

/** What has been seen of ways around the gate; undefined where nobody could look. */
export type Bypass = readonly string[] | undefined;

/** What the KnockNode of an agent says, made from what `/statusz` says. No source and no step is in it. Pure. */
export function nodeClaim(
  status: AgentStatus,
  bypass: Bypass,
  surroundings: { readonly node: string; readonly kernel: string },
): NodeClaim {
  const { mode, policies, grants, version, nodeVersion, nftVersion, libpcapVersion } = status;
  const rejections = rejectionsOf(policies.problems);
  return {
    conditions: conditionsOf(status, bypass),
    fields: {
      nodeName: surroundings.node,
      mode,
      policies: { accepted: policies.accepted.length, rejected: policies.rejected, rejections },
      grants,
      versions: {
        knockgate: version,
        node: nodeVersion,
        nft: nftVersion,
        libpcap: libpcapVersion,
        kernel: surroundings.kernel,
      },
    },
  };
}

function conditionsOf(status: AgentStatus, bypass: Bypass): readonly ConditionClaim[] {
  const { ready, stages, policies, kubernetes } = status;
  const failing = Object.entries(stages).filter(([, { ok }]) => !ok);
  const failures = failing.map(([stage, { reason }]) => `${stage}: ${reason ?? "not well"}`).join("; ");
  const lost = kubernetes.find(({ state }) => state === "failing");
  return [
    claim("Ready", ready, ready ? "EveryStageWorks" : "StageFailing", ready ? "Every stage works." : failures),
    stageClaim("CaptureUp", stages.capture, "Capturing", "Knocks are captured."),
    stageClaim("TableIntact", stages.nftables, "AsWanted", "The table in the kernel is as wanted."),
    claim(
      "ConfigCurrent",
      policies.stale === undefined && stages.config.ok,
      policies.stale === undefined && stages.config.ok ? "Current" : "Stale",
      policies.stale ?? stages.config.reason ?? "The newest configuration is in force.",
    ),
    claim(
      "APIReachable",
      lost === undefined,
      lost === undefined ? "Reachable" : "WatchFailing",
      lost === undefined ? "Every watch is current." : `${lost.resource} (${lost.scope}): ${lost.reason}`,
    ),
    bypassClaim(bypass),
  ];
}

function stageClaim(type: string, { ok, reason }: StageHealth, well: string, sentence: string): ConditionClaim {
  return claim(type, ok, ok ? well : "NotWorking", ok ? sentence : (reason ?? "It does not work."));
}

function bypassClaim(bypass: Bypass): ConditionClaim {
  const type = "GateBypassed";
  if (bypass === undefined)
    return { type, status: "Unknown", reason: "CannotLook", message: "Links and rules could not be listed." };
  if (bypass.length === 0)
    return claim(type, false, "NothingSeen", "Nothing is seen that takes packets past the gate.");
  return claim(type, true, "WaySeen", bypass.join(" "));
}

function claim(type: string, holds: boolean, reason: string, message: string): ConditionClaim {
  return { type, status: holds ? "True" : "False", reason, message: message.slice(0, mostCharacters) };
}

/** The first error of each policy; those that nobody can name are only counted. */
function rejectionsOf(problems: readonly Problem[]): readonly object[] {
  const first = new Map<string, object>();
  for (const { severity, policy, code, field, message } of problems) {
    if (severity !== "error" || policy === undefined || first.has(policy) || first.size === mostRejections) continue;
    const [namespace, name] = policy.split("/");
    const told = (field === "" ? message : `${field}: ${message}`).slice(0, mostCharacters);
    first.set(policy, { namespace, name, reason: reasonOf(code), message: told });
  }
  return [...first.values()];
}
