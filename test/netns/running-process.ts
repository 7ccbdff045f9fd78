import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What a program that has ended left behind. `code` is undefined when a signal ended it. */
export interface Ending {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** What a program that ran to its end printed. */
export interface RunResult extends Ending {
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is started. */
export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** After this the program is killed and the run rejects; default 60,000. */
  readonly timeoutMs?: number;
}

/** How to wait for a line. */
export interface LineWait {
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Lines before this one do not count; default 0, so lines that came earlier do. */
  readonly from?: number;
}

/** A program that runs beside the test. Its lines, of both streams, are kept; it is ended by its own pid. */
export class RunningProcess {
  /** Lines of standard output and standard error in the order in which they came. */
  readonly lines: string[] = [];
  readonly pid: number;
  /** Resolves when the program has ended and all it printed has been read. */
  readonly ended: Promise<Ending>;
  private readonly child: ChildProcess;
  private readonly command: string;
  private readonly watchers = new Set<() => void>();
  private ending: Ending | undefined;

  constructor(command: string, args: readonly string[], options: RunOptions = {}) {
    this.command = [command, ...args].join(" ");
    const { env, cwd } = options;
    this.child = spawn(command, args, { env: { ...process.env, ...env }, ...(cwd !== undefined && { cwd }) });
    this.pid = this.child.pid ?? -1;
    this.ended = this.follow();
    this.child.stdin?.on("error", () => this.lines.push("(its standard input is closed)"));
    if (options.input !== undefined) this.child.stdin?.end(options.input);
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.ending !== undefined;
  }

  /** Calls `look` after every line, and when the program has ended. */
  onLine(look: () => void): void {
    this.watchers.add(look);
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Ends its standard input. */
  endInput(): void {
    this.child.stdin?.end();
  }

  /** The first line that matches, also one that has come already. Rejects when the program ends first. */
  waitForLine(pattern: RegExp | string, wait: LineWait = {}): Promise<string> {
    let at = wait.from ?? 0;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        act();
      };
      const fail = (why: string) => settle(() => reject(new Error(`${this.command}: ${why} ${pattern}\n${this.text}`)));
      const timer = setTimeout(() => fail("never printed"), wait.timeoutMs ?? 10_000);
      const look = () => {
        for (; at < this.lines.length; at++) {
          const line = this.lines[at] ?? "";
          const found = typeof pattern === "string" ? line.includes(pattern) : pattern.test(line);
          if (found) return settle(() => resolve(line));
        }
        if (this.isOver) fail("ended without printing");
      };
      this.watchers.add(look);
      look();
    });
  }

  /** All that it printed so far. */
  get text(): string {
    return this.lines.join("\n");
  }

  /** Sends a signal and resolves when it has ended; after five seconds it is killed. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ending> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), 5000);
    const ending = await this.ended;
    clearTimeout(timer);
    return ending;
  }

  /** Sends a signal; nothing happens when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (!this.isOver) this.child.kill(signal);
  }

  private async follow(): Promise<Ending> {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        for (const look of [...this.watchers]) look();
      });
    }
    try {
      const [code, signal] = (await once(this.child, "close")) as [number | null, NodeJS.Signals | null];
      this.ending = { code: code ?? undefined, signal: signal ?? undefined };
    } catch (error) {
      this.lines.push(String(error));
      this.ending = { code: 127, signal: undefined };
    }
    for (const look of [...this.watchers]) look();
    return this.ending;
  }
}

/** Runs a program to its end. An exit code is an answer, not an error; only a program that hangs rejects. */
export async function runToEnd(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { env, cwd } = options;
  const child = spawn(command, args, { env: { ...process.env, ...env }, ...(cwd !== undefined && { cwd }) });
  const texts = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    texts.stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    texts.stderr += chunk;
  });
  child.stdin.on("error", (error) => {
    texts.stderr += String(error);
  });
  child.stdin.end(options.input ?? "");
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, options.timeoutMs ?? 60_000);
  const [code, signal] = (await once(child, "close").finally(() => clearTimeout(timer))) as [
    number | null,
    NodeJS.Signals | null,
  ];
  if (late) throw new Error(`${command} ${args.join(" ")} did not end in time\n${texts.stdout}${texts.stderr}`);
  return { ...texts, code: code ?? undefined, signal: signal ?? undefined };
}
