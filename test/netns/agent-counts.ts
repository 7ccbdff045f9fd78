import type { AgentProcess } from "./agent-process.ts";
import type { Host } from "./host.ts";
import { childOf, type ProcessUsage, processUsage } from "./process-usage.ts";

/** What an agent has counted since it was started, and what it and its capture child have used. */
export interface AgentCounts {
  /** Packets that came in at the link of its host, as the kernel counts them. */
  readonly received: number;
  /** Packets that passed the kernel's filter; what was dropped later is in it. */
  readonly captured: number;
  readonly kernelDrops: number;
  readonly ringFull: number;
  /** Decoded and thrown away, all reasons. */
  readonly discarded: number;
  /** Knocks that were matched, all outcomes. */
  readonly knocks: number;
  readonly evictions: number;
  readonly restarts: number;
  readonly agent: ProcessUsage;
  readonly child: ProcessUsage;
}

/** Asks an agent in a host's namespace. The capture tells its counts once a second. */
export async function agentCounts(agent: AgentProcess, host: Host): Promise<AgentCounts> {
  const { body } = await agent.http("/metrics");
  const sum = (name: string, label = "") => sumOfSeries(body, name, label);
  return {
    received: Number(await host.expect("cat", [`/sys/class/net/${host.link}/statistics/rx_packets`])),
    captured: sum("capture_packets_total"),
    kernelDrops: sum("capture_dropped_packets_total", 'reason="kernel"'),
    ringFull: sum("capture_dropped_packets_total", 'reason="ring_full"'),
    discarded: sum("decode_discarded_packets_total"),
    knocks: sum("knocks_total"),
    evictions: sum("tracker_evictions_total"),
    restarts: sum("capture_restarts_total"),
    agent: processUsage(agent.process.pid),
    child: processUsage(childOf(agent.process.pid, "capture-child")),
  };
}

/** The sum of all series of a metric of ours in an exposition, those alone that have this text among their labels. */
export function sumOfSeries(exposition: string, name: string, label: string): number {
  return exposition
    .split("\n")
    .filter((line) => line.startsWith(`knockgate_${name}`) && line.includes(label))
    .reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
}

/** What was counted between two times: counters as differences, usage as processor time of the span and the peak so far. */
export function countedSince(before: AgentCounts, after: AgentCounts): AgentCounts {
  const usage = (key: "agent" | "child"): ProcessUsage => ({
    ...after[key],
    cpuSeconds: after[key].cpuSeconds - before[key].cpuSeconds,
  });
  return {
    received: after.received - before.received,
    captured: after.captured - before.captured,
    kernelDrops: after.kernelDrops - before.kernelDrops,
    ringFull: after.ringFull - before.ringFull,
    discarded: after.discarded - before.discarded,
    knocks: after.knocks - before.knocks,
    evictions: after.evictions - before.evictions,
    restarts: after.restarts - before.restarts,
    agent: usage("agent"),
    child: usage("child"),
  };
}

/** The counts as lines for people. */
export function tellCounts({ received, captured, kernelDrops, ringFull, discarded, ...counts }: AgentCounts): string {
  const usage = ({ cpuSeconds, peakMiB }: ProcessUsage) =>
    `${cpuSeconds.toFixed(1)} s CPU, ${peakMiB.toFixed(0)} MiB resident at most`;
  return [
    `  ${received} packets received by the gate's link, ${captured} captured: ${counts.knocks} matched, ${kernelDrops} dropped by`,
    `  the kernel's ring, ${ringFull} by the child's queue, ${discarded} discarded; ${counts.evictions} sources evicted`,
    `  agent: ${usage(counts.agent)}; capture child: ${usage(counts.child)}`,
  ].join("\n");
}
