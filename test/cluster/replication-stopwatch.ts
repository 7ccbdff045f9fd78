import { programPath } from "../netns/host.ts";
import type { RunningProcess } from "../netns/running-process.ts";
import type { JoinedNodes } from "./joined-nodes.ts";

/** Measures from the last packet of a knock on one node until the kernel of another has the element; each from a new address. */
export class ReplicationStopwatch {
  private readonly target: string;
  private readonly observer: RunningProcess;
  private readonly knocker: RunningProcess;
  private knocks = 0;

  private constructor(target: string, observer: RunningProcess, knocker: RunningProcess) {
    this.target = target;
    this.observer = observer;
    this.knocker = knocker;
  }

  /** Resolves when both are watched. */
  static async begin(nodes: JoinedNodes, knocked: string, observed: string): Promise<ReplicationStopwatch> {
    const { visitor } = nodes;
    await visitor.expect("ip", ["route", "replace", "local", "10.77.16.0/20", "dev", visitor.link]);
    const observer = nodes.node(observed).host.start(process.execPath, [programPath("../bench/set-observer.mjs")]);
    const knocker = visitor.start(process.execPath, [programPath("../bench/stopwatch.mjs")]);
    await Promise.all([observer.waitForLine("observing"), knocker.waitForLine("ready")]);
    return new ReplicationStopwatch(nodes.node(knocked).host.ipv4, observer, knocker);
  }

  /** Milliseconds; rejects when it takes longer than ten seconds. */
  async measure(steps: readonly string[]): Promise<number> {
    const number = this.knocks++;
    const source = [10, 77, 16 + (number >> 8), number & 255];
    const from = this.observer.lines.length;
    const asked = this.knocker.lines.length;
    const ports = steps.map((step) => ({ protocol: step.split("/")[1], port: Number.parseInt(step, 10) }));
    this.knocker.write(
      `${JSON.stringify({ source: source.join("."), target: this.target, steps: ports, gapMs: 5 })}\n`,
    );
    const { sentAt } = JSON.parse(await this.knocker.waitForLine("sentAt", { from: asked })) as { sentAt: string };
    const hex = Buffer.from(source).toString("hex");
    const line = await this.observer.waitForLine(new RegExp(`^\\d+ .*${hex}`), { from });
    return Number(BigInt(line.split(" ")[0] ?? "0") - BigInt(sentAt)) / 1e6;
  }
}
