import { type Host, programPath } from "../netns/host.ts";
import { PacketSender } from "../netns/packet-sender.ts";
import type { RunningProcess } from "../netns/running-process.ts";
import { World } from "../netns/world.ts";
import { beginRival, door, type Rival, type RivalGate } from "./rivals.ts";

/** What a gate is measured by: the rule or element in the kernel, or the first connection that is accepted. */
export type Aim = "element" | "connection";

/** Between two packets of a knock. */
const gapMs = 5;
/** Different packets of a flood; they are sent again and again. */
const junkPackets = 500_000;

/**
 * A gate, a client and a crowd in three network namespaces. All rivals guard the same port; all are watched by the same
 * observer, which the kernel tells of every element and rule it has taken, and knocked on by the same client, every time
 * from another address.
 */
export class KnockContest {
  readonly gate: RivalGate;
  private readonly world: World;
  readonly host: Host;
  private readonly observer: RunningProcess;
  private readonly stopwatch: RunningProcess;
  private knocks = 0;

  private constructor(world: World, gate: RivalGate, observer: RunningProcess, stopwatch: RunningProcess) {
    this.world = world;
    this.host = world.host("gate");
    this.gate = gate;
    this.observer = observer;
    this.stopwatch = stopwatch;
  }

  /** Resolves when the rival captures and its table is loaded. Flags are for our own agent. */
  static async begin(rival: Rival, flags: readonly string[] = []): Promise<KnockContest> {
    const world = await World.build(`bench-${rival}`, ["gate", "client", "crowd"]);
    try {
      const [host, client, crowd] = [world.host("gate"), world.host("client"), world.host("crowd")];
      await client.expect("ip", ["route", "add", "local", "10.77.16.0/20", "dev", client.link]);
      // What junk is answered goes where it does anywhere: out, and to nobody.
      await host.expect("ip", ["route", "add", "default", "via", crowd.ipv4]);
      await crowd.expect("ip", ["route", "add", "blackhole", "default"]);
      await host.serve([`${door}/tcp`]);
      const gate = await beginRival(rival, world, host, flags);
      const observer = host.start(process.execPath, [programPath("../bench/set-observer.mjs")]);
      await observer.waitForLine("observing");
      const stopwatch = client.start(process.execPath, [programPath("../bench/stopwatch.mjs")]);
      await stopwatch.waitForLine("ready");
      return new KnockContest(world, gate, observer, stopwatch);
    } catch (error) {
      await world.remove();
      throw error;
    }
  }

  /** Milliseconds from the last packet of one knock to the aim; undefined when it was not reached in two seconds. */
  async measure(aim: Aim): Promise<number | undefined> {
    const number = this.knocks++;
    const source = [10, 77, 16 + (number >> 8), number & 255];
    const observed = this.observer.lines.length;
    const { sentAt, openAt } = await this.knock(source.join("."), aim);
    if (aim === "connection") return milliseconds(sentAt, openAt);
    const hex = Buffer.from(source).toString("hex");
    const line = await this.observer
      .waitForLine(new RegExp(`^\\d+ .*${hex}`), { from: observed, timeoutMs: 2000 })
      .catch(() => undefined);
    return milliseconds(sentAt, line?.split(" ")[0]);
  }

  /** The crowd begins to send junk that the gate has to look at, without an end; end it with `stop`. */
  async beginJunk(perSecond: number): Promise<RunningProcess> {
    const sender = new PacketSender(this.world, this.world.host("crowd"), this.host);
    const before = await this.received();
    const flood = sender.startSpoofed(this.gate.junk, junkPackets, { perSecond, seconds: 120 });
    while ((await this.received()) < before + perSecond / 10) if (flood.isOver) throw new Error(flood.text);
    return flood;
  }

  /** Packets that have come in at the gate's link. */
  private async received(): Promise<number> {
    return Number(await this.host.expect("cat", [`/sys/class/net/${this.host.link}/statistics/rx_packets`]));
  }

  /** Ends everything. */
  async end(): Promise<void> {
    await this.world.remove();
  }

  private async knock(source: string, aim: Aim): Promise<{ sentAt: string; openAt?: string }> {
    const from = this.stopwatch.lines.length;
    const open = aim === "connection" ? { open: door } : {};
    const question = { source, target: this.host.ipv4, steps: this.gate.knock(source), gapMs, ...open };
    this.stopwatch.write(`${JSON.stringify(question)}\n`);
    return JSON.parse(await this.stopwatch.waitForLine(/^\{/, { from })) as { sentAt: string; openAt?: string };
  }
}

function milliseconds(from: string, to: string | undefined): number | undefined {
  return to === undefined ? undefined : Number(BigInt(to) - BigInt(from)) / 1e6;
}
