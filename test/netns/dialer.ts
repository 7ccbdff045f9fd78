import type { RunningProcess } from "./running-process.ts";

/** A question to the program of dialer.mjs; what each takes is written there. */
export type Question = { readonly act: "tcp" | "hold" | "exchange" | "release" | "udp" | "syn" | "http" } & Readonly<
  Record<string, unknown>
>;

/**
 * Asks a small program inside a namespace to connect, send and wait there, so that a question costs about a millisecond
 * and not the start of a program. Questions may overlap.
 */
export class Dialer {
  private readonly process: RunningProcess;
  private readonly waiting = new Map<number, (answer: unknown) => void>();
  private asked = 0;
  private read = 0;

  constructor(process: RunningProcess) {
    this.process = process;
    process.onLine(() => this.deliver());
  }

  /** Resolves to the program's answer, whose shape depends on the question. */
  ask(question: Question): Promise<unknown> {
    if (this.process.isOver) throw new Error(`the dialer has ended: ${this.process.text}`);
    const number = this.asked++;
    return new Promise((resolve) => {
      this.waiting.set(number, resolve);
      this.process.write(`${JSON.stringify({ number, ...question })}\n`);
    });
  }

  private deliver(): void {
    for (; this.read < this.process.lines.length; this.read++) {
      const line = this.process.lines[this.read] ?? "";
      if (!line.startsWith("{")) throw new Error(`the dialer said: ${line}`);
      const { number, answer } = JSON.parse(line) as { number: number; answer: unknown };
      this.waiting.get(number)?.(answer);
      this.waiting.delete(number);
    }
  }
}
