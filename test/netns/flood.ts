import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { type AgentCounts, agentCounts, countedSince, tellCounts } from "./agent-counts.ts";
import type { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender, sentPackets } from "./packet-sender.ts";
import type { RunningProcess } from "./running-process.ts";
import type { SpoofedPackets } from "./spoofed-packets.ts";
import type { World } from "./world.ts";

/** Where a flood takes place. */
export interface FloodScene {
  readonly world: World;
  readonly from: Host;
  readonly gate: Host;
  readonly agent: AgentProcess;
}

/** What is sent: so many packets of each kind in turn, again and again. */
export interface FloodPlan {
  readonly kinds: readonly SpoofedPackets[];
  readonly packets: number;
  readonly rounds: number;
  readonly perSecond: number;
}

/** What came of a flood. */
export interface FloodOutcome extends AgentCounts {
  readonly sent: number;
  /** Packets that the kernel threw away before any tap saw them: the queue of a processor was full (softnet_stat). */
  readonly backlogDrops: number;
  /** How `/readyz` answered, asked twice a second. */
  readonly ready: { readonly asked: number; readonly failed: number; readonly slowestMs: number };
}

const askEveryMs = 500;
/** The flood keeps its rate on two processors; as little as it takes, for agent and child have to run as well. */
const senderNiceness = -5;

/** A flood that is on. `/readyz` is asked as long as it is. */
export class Flood {
  private readonly scene: FloodScene;
  private readonly sender: RunningProcess;
  private readonly before: AgentCounts;
  private readonly backlogBefore = backlogDrops();
  private readonly ready = { asked: 0, failed: 0, slowestMs: 0 };
  private readonly asking: Promise<void>;

  private constructor(scene: FloodScene, sender: RunningProcess, before: AgentCounts) {
    this.scene = scene;
    this.sender = sender;
    this.before = before;
    this.asking = this.ask();
  }

  /** Resolves when its first packets have come in. */
  static async begin(scene: FloodScene, plan: FloodPlan): Promise<Flood> {
    const { world, from, gate, agent } = scene;
    const before = await settledCounts(scene);
    const sender = new PacketSender(world, from, gate).startSpoofed(plan.kinds, plan.packets, plan);
    setPriority(sender.pid, senderNiceness);
    const first = plan.perSecond / 20;
    const arrived = async () => (await agentCounts(agent, gate)).received > before.received + first;
    await eventually(arrived, { what: "the flood to arrive", timeoutMs: 30_000 });
    return new Flood(scene, sender, before);
  }

  get isOn(): boolean {
    return !this.sender.isOver;
  }

  /** Resolves when all is sent, and the capture, which counts once a second, has told of every packet; prints the outcome. */
  async ended(name: string): Promise<FloodOutcome> {
    await Promise.all([this.sender.ended, this.asking]);
    const sent = sentPackets(this.sender);
    const counts = countedSince(this.before, await settledCounts(this.scene));
    const outcome = { ...counts, sent, backlogDrops: backlogDrops() - this.backlogBefore, ready: this.ready };
    console.log(`${name}\n${tell(outcome, this.sender)}`);
    return outcome;
  }

  private async ask(): Promise<void> {
    while (this.isOn) {
      const began = performance.now();
      const { status } = await this.scene.agent.http("/readyz");
      this.ready.asked++;
      this.ready.slowestMs = Math.max(this.ready.slowestMs, performance.now() - began);
      if (status !== 200) this.ready.failed++;
      await pause(askEveryMs);
    }
  }
}

/** Packets whose fate is counted: they were matched, or dropped for a reason. */
export function accounted({ knocks, kernelDrops, ringFull, discarded }: AgentCounts): number {
  return knocks + kernelDrops + ringFull + discarded;
}

/**
 * What is counted when nothing new comes: the capture has told of every packet that was matched. It tells once a second,
 * so counts taken any sooner hold packets that it tells of later.
 */
function settledCounts({ agent, gate }: FloodScene): Promise<AgentCounts> {
  let last = "";
  const told = async () => {
    const counts = await agentCounts(agent, gate);
    const text = JSON.stringify([counts.captured, accounted(counts)]);
    const isSettled = text === last && counts.captured === accounted(counts);
    last = text;
    return isSettled && counts;
  };
  return eventually(told, { what: "the capture to tell its counts", everyMs: 1100 });
}

/** Of all processors: the second column of /proc/net/softnet_stat, in hexadecimal. */
function backlogDrops(): number {
  const lines = readFileSync("/proc/net/softnet_stat", "latin1").trim().split("\n");
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(" ")[1] ?? "0", 16), 0);
}

function tell(outcome: FloodOutcome, sender: RunningProcess): string {
  const { asked, failed, slowestMs } = outcome.ready;
  const rate = /([\d.]+) pps/.exec(sender.text)?.[1];
  return [
    `  ${outcome.sent} packets sent, ${Number(rate).toFixed(0)} a second; ${outcome.backlogDrops} dropped before any tap`,
    tellCounts(outcome),
    `  /readyz: asked ${asked} times, ${failed} without a 200, slowest answer ${slowestMs.toFixed(0)} ms`,
  ].join("\n");
}
