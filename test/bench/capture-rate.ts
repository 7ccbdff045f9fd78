import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { agentCounts, countedSince } from "../netns/agent-counts.ts";
import { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { PacketSender, sentPackets } from "../netns/packet-sender.ts";
import { childOf } from "../netns/process-usage.ts";
import { World } from "../netns/world.ts";
import { tellProgress } from "./bench-results.ts";
import { policy } from "./rivals.ts";

/** What became of a flood at one rate, agent and capture child sharing one processor. */
export interface RateFigure {
  readonly sentPerSecond: number;
  readonly matched: number;
  readonly lostInKernel: number;
  readonly lostInQueue: number;
  /** Matched packets for each second of processor time of agent and child together. */
  readonly perCpuSecond: number;
}

const seconds = 4;
const packets = 400_000;

/** Floods an agent that is pinned to one processor, the sender to another, faster and faster. */
export async function captureRates(rates: readonly number[]): Promise<RateFigure[]> {
  const world = await World.build("bench-rate", ["gate", "crowd"]);
  try {
    const [gate, crowd] = [world.host("gate"), world.host("crowd")];
    await gate.expect("ip", ["route", "add", "default", "via", crowd.ipv4]);
    await crowd.expect("ip", ["route", "add", "blackhole", "default"]);
    const agent = await AgentProcess.start(world, gate, { policies: policy, through: ["taskset", "-c", "0"] });
    const target = { target: gate.ipv4, payload: [0] };
    const sources = { first: "10.160.0.0", count: 400_000 };
    const kinds = [
      { packet: { ...target, protocol: "udp", port: 7311 }, sources },
      { packet: { ...target, protocol: "tcp", port: 8844 }, sources },
    ] as const;
    const figures: RateFigure[] = [];
    for (const perSecond of rates) {
      const before = await agentCounts(agent, gate);
      const flood = new PacketSender(world, crowd, gate).startSpoofed(kinds, packets, { perSecond, seconds });
      if (cpus().length > 1) spawnSync("taskset", ["-cp", "1", String(flood.pid)]);
      await flood.ended;
      const sent = sentPackets(flood);
      const told = async () => {
        const counts = countedSince(before, await agentCounts(agent, gate));
        return counts.knocks + counts.kernelDrops + counts.ringFull >= sent && counts;
      };
      const counts = await eventually(told, { what: "the capture to tell its counts", everyMs: 1100 });
      const cpu = counts.agent.cpuSeconds + counts.child.cpuSeconds;
      figures.push({
        sentPerSecond: Math.round(Number(/([\d.]+) pps/.exec(flood.text)?.[1])),
        matched: counts.knocks,
        lostInKernel: counts.kernelDrops,
        lostInQueue: counts.ringFull,
        perCpuSecond: Math.round(counts.knocks / cpu),
      });
      tellProgress(`${perSecond} packets a second: ${JSON.stringify(figures.at(-1))}`);
    }
    childOf(agent.process.pid, "capture-child"); // it is still the first one, or its counts would have begun anew
    return figures;
  } finally {
    await world.remove();
  }
}
