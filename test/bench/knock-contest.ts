import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentProcess } from "../netns/agent-process.ts";
import { type Host, programPath } from "../netns/host.ts";
import { startKnockd } from "../netns/knockd-service.ts";
import type { RunningProcess } from "../netns/running-process.ts";
import { World } from "../netns/world.ts";

/** What a gate is measured by: the element in the kernel set, or the first connection that is accepted. */
export type Goal = "element" | "connection";

/** Whose gate it is. */
export type Rival = "knockgate" | "knockd";

const door = 2200;
const steps = [
  { protocol: "udp", port: 7311 },
  { protocol: "tcp", port: 8844 },
  { protocol: "udp", port: 9126 },
] as const;
/** Between two knocks of a sequence. */
const gapMs = 5;

const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: bench }
spec:
  knock: { steps: [${steps.map(({ protocol, port }) => `${port}/${protocol}`).join(", ")}] }
  opens: { ports: [${door}], for: 60s }
`;

/**
 * A gate and a client in two network namespaces. Both rivals guard the same port with the same table; both are watched by
 * the same observer, which the kernel tells of every element it has taken, and knocked on by the same client, every time
 * from another address.
 */
export class KnockContest {
  private readonly world: World;
  private readonly gate: Host;
  private readonly observer: RunningProcess;
  private readonly stopwatch: RunningProcess;
  private knocks = 0;

  private constructor(world: World, observer: RunningProcess, stopwatch: RunningProcess) {
    this.world = world;
    this.gate = world.host("gate");
    this.observer = observer;
    this.stopwatch = stopwatch;
  }

  /** Resolves when the rival captures and its table is loaded. */
  static async begin(rival: Rival): Promise<KnockContest> {
    const world = await World.build(`bench-${rival}`, ["gate", "client"]);
    try {
      const [gate, client] = [world.host("gate"), world.host("client")];
      await client.expect("ip", ["route", "add", "local", "10.77.16.0/20", "dev", client.link]);
      await gate.serve([`${door}/tcp`]);
      await (rival === "knockgate" ? AgentProcess.start(world, gate, { policies: policy }) : beginKnockd(world, gate));
      const observer = gate.start(process.execPath, [benchProgram("set-observer.mjs")]);
      await observer.waitForLine("observing");
      const stopwatch = client.start(process.execPath, [benchProgram("stopwatch.mjs")]);
      await stopwatch.waitForLine("ready");
      return new KnockContest(world, observer, stopwatch);
    } catch (error) {
      await world.remove();
      throw error;
    }
  }

  /** Milliseconds from the last packet of one knock to the goal; undefined when it was not reached in two seconds. */
  async measure(goal: Goal): Promise<number | undefined> {
    const number = this.knocks++;
    const source = [10, 77, 16 + (number >> 8), number & 255];
    const observed = this.observer.lines.length;
    const { sentAt, openAt } = await this.knock(source.join("."), goal);
    if (goal === "connection") return milliseconds(sentAt, openAt);
    const hex = Buffer.from(source).toString("hex");
    const line = await this.observer
      .waitForLine(new RegExp(`^\\d+ .*${hex}`), { from: observed, timeoutMs: 2000 })
      .catch(() => undefined);
    return milliseconds(sentAt, line?.split(" ")[0]);
  }

  /** Ends everything. */
  async end(): Promise<void> {
    await this.world.remove();
  }

  private async knock(source: string, goal: Goal): Promise<{ sentAt: string; openAt?: string }> {
    const from = this.stopwatch.lines.length;
    const open = goal === "connection" ? { open: door } : {};
    this.stopwatch.write(`${JSON.stringify({ source, target: this.gate.ipv4, steps, gapMs, ...open })}\n`);
    return JSON.parse(await this.stopwatch.waitForLine(/^\{/, { from })) as { sentAt: string; openAt?: string };
  }
}

/** knockd has no table of its own: it gets the one that Knockgate would load, and adds the element that Knockgate adds. */
async function beginKnockd(world: World, gate: Host): Promise<void> {
  const file = join(world.folder, "door.yaml");
  writeFileSync(file, policy);
  const program = programPath("../../dist/main.js");
  const table = await gate.expect(process.execPath, [program, "ruleset", "--config", file]);
  await gate.expect("nft", ["-f", "-"], { input: table });
  const element = `{ %IP% . tcp . ${door} timeout 60s }`;
  const command = `/usr/sbin/nft add element inet knockgate granted4 ${element}`;
  const sequence = steps.map(({ protocol, port }) => `${port}:${protocol}`).join(",");
  await startKnockd(world, gate, [{ name: "door", sequence, command }]);
}

function benchProgram(name: string): string {
  return programPath(`../bench/${name}`);
}

function milliseconds(from: string, to: string | undefined): number | undefined {
  return to === undefined ? undefined : Number(BigInt(to) - BigInt(from)) / 1e6;
}
