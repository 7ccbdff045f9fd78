import { Worker } from "node:worker_threads";
import type { WorkerAnswer, WorkerTask } from "./worker.ts";

/** No input may take so long, on a machine that is busy with other things as well. */
const stuckMs = 10_000;
/** All inputs of a target together live within this. */
const mostMemoryMb = 256;
const progressEveryMs = 10_000;
const lookEveryMs = 250;

/** An input that broke a promise. */
export interface Finding {
  readonly number: number;
  readonly reason: string;
}

/**
 * Runs one target in a thread with bounded memory, and watches it: one that is stuck in an input is ended. Resolves to the
 * first finding; undefined when there is none.
 */
export async function fuzz(task: Omit<WorkerTask, "progress">): Promise<Finding | undefined> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const began = performance.now();
  const worker = new Worker(new URL("./worker.js", import.meta.url), {
    workerData: { ...task, progress },
    resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb },
  });
  const watching = new ProgressWatch(task, progress);
  const answer = await new Promise<WorkerAnswer>((resolve) => {
    const fail = (reason: string) => resolve({ kind: "failed", number: Atomics.load(progress, 0), reason });
    const timer = setInterval(() => {
      if (watching.isStuck()) fail(`it was not read within ${stuckMs / 1000} s`);
    }, lookEveryMs);
    worker.once("message", resolve);
    worker.once("error", (error) => fail(String(error)));
    worker.once("exit", () => {
      clearInterval(timer);
      fail("the thread ended");
    });
  });
  await worker.terminate();
  if (answer.kind === "failed") return answer;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const slowest = `the slowest, number ${answer.slowestNumber}, took ${answer.slowestMs.toFixed(1)} ms`;
  console.log(`${task.target}: ${task.count} inputs in ${seconds} s, nothing found; ${slowest}`);
  return undefined;
}

/** Looks at how far the thread is, and says it now and then. */
class ProgressWatch {
  readonly #task: Omit<WorkerTask, "progress">;
  readonly #progress: Int32Array;
  #last = -1;
  #movedAt = performance.now();
  #toldAt = performance.now();

  constructor(task: Omit<WorkerTask, "progress">, progress: Int32Array) {
    this.#task = task;
    this.#progress = progress;
  }

  isStuck(): boolean {
    const now = performance.now();
    const number = Atomics.load(this.#progress, 0);
    if (number !== this.#last) this.#movedAt = now;
    this.#last = number;
    if (now - this.#toldAt >= progressEveryMs) {
      this.#toldAt = now;
      const mib = (process.memoryUsage().rss / 2 ** 20).toFixed(0);
      console.log(`${this.#task.target}: ${number} of ${this.#task.count}, ${mib} MiB`);
    }
    return now - this.#movedAt > stuckMs;
  }
}
