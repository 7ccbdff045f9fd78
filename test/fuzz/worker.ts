import { parentPort, workerData } from "node:worker_threads";
import { inputOf, targetOf } from "./targets.ts";

/** What a worker is to do. */
export interface WorkerTask {
  readonly target: string;
  readonly seed: number;
  readonly count: number;
  /** A whole number in shared memory: which input is being read, so that a thread that is stuck or out of memory can be asked. */
  readonly progress: Int32Array;
}

/** What it says in the end. */
export type WorkerAnswer =
  | { readonly kind: "done"; readonly slowestMs: number; readonly slowestNumber: number }
  | { readonly kind: "failed"; readonly number: number; readonly reason: string };

async function work({ target: name, seed, count, progress }: WorkerTask): Promise<WorkerAnswer> {
  const target = targetOf(name);
  if (target === undefined) throw new Error(`no target ${name}`);
  let [slowestMs, slowestNumber] = [0, 0];
  for (let number = 0; number < count; number++) {
    Atomics.store(progress, 0, number);
    const input = inputOf(target, seed, number);
    const began = performance.now();
    try {
      await target.run(input);
    } catch (error) {
      return {
        kind: "failed",
        number,
        reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      };
    }
    const tookMs = performance.now() - began;
    if (tookMs > slowestMs) [slowestMs, slowestNumber] = [tookMs, number];
  }
  return { kind: "done", slowestMs, slowestNumber };
}

parentPort?.postMessage(await work(workerData as WorkerTask));
