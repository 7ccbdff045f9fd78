import { type Host, programPath } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";

/** What became of all attempts of a watch: `open`, `silent`, `refused` or the code of another error. */
export type ProbeCounts = Readonly<Record<string, number>>;

/** A client that tries a port every 10 ms from before something happens to after: at no moment may it find another outcome. */
export class DoorWatch {
  private readonly process: RunningProcess;

  private constructor(process: RunningProcess) {
    this.process = process;
  }

  /** Resolves when it has found the port as it should be for the first time. */
  static async start(host: Host, address: string, port: number, first: "open" | "silent"): Promise<DoorWatch> {
    const watch = new DoorWatch(host.start(process.execPath, [programPath("door-watch.mjs"), address, String(port)]));
    await watch.found(first);
    return watch;
  }

  /** Resolves when an attempt has ended like this. */
  async found(outcome: "open" | "silent"): Promise<void> {
    await this.process.waitForLine(`now ${outcome}`);
  }

  /** Lets what is under way come to its end, and tells what became of all attempts. */
  async stop(): Promise<ProbeCounts> {
    this.process.endInput();
    const line = await this.process.waitForLine(/^counts /);
    const { counts } = JSON.parse(line.slice("counts ".length)) as { counts: ProbeCounts };
    await this.process.ended;
    return counts;
  }
}
