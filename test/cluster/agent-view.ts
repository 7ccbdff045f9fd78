import type { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";

/** What an agent says of itself. */
export async function statusOf(agent: AgentProcess): Promise<AgentStatusPart> {
  return JSON.parse((await agent.http("/statusz")).body) as AgentStatusPart;
}

/** The part of `/statusz` that is asked for here. */
export interface AgentStatusPart {
  readonly ready: boolean;
  readonly policies: {
    readonly accepted: readonly string[];
    readonly rejected: number;
    readonly stale?: string;
    readonly problems: readonly { readonly code: string; readonly policy?: string }[];
  };
  readonly kubernetes: readonly {
    readonly resource: string;
    readonly scope: string;
    readonly state: string;
    readonly reason?: string;
  }[];
}

/** Resolves when exactly these policies, as `namespace/name`, are in force in every stage. */
export async function accepted(agent: AgentProcess, names: readonly string[]): Promise<void> {
  const wanted = [...names].sort().join();
  const ask = async () => {
    if ([...(await statusOf(agent)).policies.accepted].sort().join() !== wanted) return false;
    return (await agent.metric('knockgate_config_policies{state="accepted"}')) === names.length; // told when all is done
  };
  await eventually(ask, { what: `the policies "${wanted}" to be in force`, timeoutMs: 30_000 });
}

/** Does something, and resolves when a configuration has come into force in every stage afterwards. */
export async function untilInForce(agent: AgentProcess, act: () => Promise<unknown>): Promise<void> {
  const from = agent.process.lines.length;
  await act();
  await agent.process.waitForLine('"config-accepted"', { from, timeoutMs: 30_000 });
}

/** Resolves when exactly these problems, as `name code`, are told. */
export async function told(agent: AgentProcess, problems: readonly string[]): Promise<void> {
  const wanted = [...problems].sort().join();
  const ask = async () => {
    const { policies } = await statusOf(agent);
    return (
      policies.problems
        .map(({ code, policy }) => `${policy?.split("/")[1]} ${code}`)
        .sort()
        .join() === wanted
    );
  };
  await eventually(ask, { what: `the problems "${wanted}"`, timeoutMs: 30_000 });
}
