import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { childrenOf } from "./process-usage.ts";
import type { RunningProcess } from "./running-process.ts";

const program = fileURLToPath(new URL("capture-host.mjs", import.meta.url));

/** What a live source in a namespace has told. */
export interface Told {
  readonly knock?: string;
  readonly lateMicros?: number;
  readonly event?: string;
  readonly [field: string]: unknown;
}

/** A live source with its real child, in a host's namespace. */
export class CaptureHost {
  readonly process: RunningProcess;

  private constructor(process: RunningProcess) {
    this.process = process;
  }

  /** Resolves when the ports (numbers as `portKey` has them) are watched. */
  static async start(host: Host, ports: readonly number[], interfaces: readonly string[] = []): Promise<CaptureHost> {
    return CaptureHost.startWith([], host, ports, interfaces);
  }

  /** The same, behind a command that changes what the process may do, such as setpriv(1) with its arguments. */
  static async startWith(
    wrapper: readonly string[],
    host: Host,
    ports: readonly number[],
    interfaces: readonly string[] = [],
  ): Promise<CaptureHost> {
    const [command = process.execPath, ...args] = [...wrapper, process.execPath, program, ...interfaces];
    const capture = new CaptureHost(host.start(command, args));
    await capture.watch(ports);
    return capture;
  }

  /** Resolves when the new watch is in force. */
  async watch(ports: readonly number[]): Promise<void> {
    const from = this.process.lines.length;
    this.process.write(`watch ${ports.join(",")}\n`);
    await this.process.waitForLine('"watching"', { from });
  }

  /** Everything told so far, in order. */
  get told(): Told[] {
    return this.process.lines.map(parsed);
  }

  get knocks(): string[] {
    return this.told.flatMap(({ knock }) => knock ?? []);
  }

  /** Resolves when so many knocks have come; rejects with what came instead. */
  async waitForKnocks(count: number): Promise<string[]> {
    const enough = async () => this.knocks.length >= count;
    await eventually(enough, { what: `${count} knocks` }).catch((error: Error) => {
      throw new Error(`${error.message}:\n${this.process.lines.join("\n")}`);
    });
    return this.knocks;
  }

  /** How often a reason was told, summed. Children tell once a second, and when they end: ask after `stop`. */
  discarded(reason: string): number {
    const counts = this.told.filter((line) => line.event === "discarded" && line.reason === reason);
    return counts.reduce((sum, { count }) => sum + Number(count), 0);
  }

  /** The causes of restarts so far. */
  get restarts(): unknown[] {
    return this.told.filter(({ event }) => event === "restarted").map(({ cause }) => cause);
  }

  /** The capture children of this source that run now. */
  childPids(): number[] {
    return childrenOf(this.process.pid, "capture-child");
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    this.process.write("quit\n");
    await this.process.ended;
  }
}

function parsed(line: string): Told {
  return line.startsWith("{") ? (JSON.parse(line) as Told) : { event: "printed", line };
}
