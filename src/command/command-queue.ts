import type { Clock } from "../clock.ts";
import type { Command } from "./command.ts";
import type { StartCommand } from "./command-process.ts";
import type { CommandReport, CommandResult } from "./command-report.ts";

/** What the queue works with. */
export interface CommandQueueOptions {
  readonly clock: Clock;
  readonly start: StartCommand;
  readonly report: CommandReport;
  /** How many run at once; default 16. */
  readonly mostAtOnce?: number;
  /** How many wait at most; default 4,096. */
  readonly mostWaiting?: number;
  /** How long one may take; default 60 s. */
  readonly longestMs?: number;
}

interface Waiting {
  readonly lane: string;
  readonly command: Command;
  readonly done: (result: CommandResult) => void;
}

/**
 * Runs commands, a bounded number at once, each for a bounded time. Those of one lane run one after the other in the order
 * they came, so that a door is never closed before it was opened.
 */
export class CommandQueue {
  private readonly options: CommandQueueOptions;
  private readonly mostAtOnce: number;
  private readonly mostWaiting: number;
  private readonly longestMs: number;
  private readonly waiting: Waiting[] = [];
  private readonly busyLanes = new Set<string>();
  private idle: (() => void)[] = [];

  constructor(options: CommandQueueOptions) {
    this.options = options;
    this.mostAtOnce = options.mostAtOnce ?? 16;
    this.mostWaiting = options.mostWaiting ?? 4096;
    this.longestMs = options.longestMs ?? 60_000;
  }

  /** Resolves to how the command ended; never rejects. Where too many wait already it is refused. */
  run(lane: string, command: Command): Promise<CommandResult> {
    if (this.waiting.length >= this.mostWaiting) {
      const reason = "too many commands wait already";
      this.tell(command, "refused", { exitCode: undefined, reason, output: "" }, 0);
      return Promise.resolve("refused");
    }
    return new Promise((done) => {
      this.waiting.push({ lane, command, done });
      this.startNext();
    });
  }

  /** Resolves when nothing runs or waits. */
  settled(): Promise<void> {
    if (this.busyLanes.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  private startNext(): void {
    while (this.busyLanes.size < this.mostAtOnce) {
      const at = this.waiting.findIndex(({ lane }) => !this.busyLanes.has(lane));
      const [next] = at < 0 ? [] : this.waiting.splice(at, 1);
      if (next === undefined) return;
      this.busyLanes.add(next.lane);
      void this.carryOut(next);
    }
  }

  private async carryOut({ lane, command, done }: Waiting): Promise<void> {
    const { clock, start, report } = this.options;
    const beganMicros = clock.nowMicros();
    report.started(command);
    const running = start(command);
    let isLate = false;
    const limit = clock.after(this.longestMs, () => {
      isLate = true;
      running.kill();
    });
    const end = await running.ended;
    limit.cancel();
    const result = isLate ? "too-long" : end.exitCode === 0 ? "done" : "failed";
    this.tell(command, result, end, (clock.nowMicros() - beganMicros) / 1e6);
    this.busyLanes.delete(lane);
    done(result);
    this.startNext();
    if (this.busyLanes.size === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private tell(
    command: Command,
    result: CommandResult,
    end: { readonly exitCode: number | undefined; readonly reason: string | undefined; readonly output: string },
    seconds: number,
  ): void {
    const reason = result === "too-long" ? `it took longer than ${this.longestMs / 1000} s` : end.reason;
    this.options.report.ended({ command, result, exitCode: end.exitCode, reason, output: end.output, seconds });
  }
}
