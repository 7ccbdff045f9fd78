import type { ChangeResult, Gate, Grant, GrantChange } from "../grant/grant.ts";
import { type BatchParts, ChangeBatch, changeKey } from "./change-batch.ts";
import { grantsOf } from "./grant-element.ts";

interface Waiting {
  readonly changes: readonly GrantChange[];
  readonly resolve: (results: readonly ChangeResult[]) => void;
}

/** The gate in the kernel: grants are elements of the sets `granted4` and `granted6`. Calls that wait together share a transaction. */
export class KernelGate implements Gate {
  readonly #parts: BatchParts;
  #waiting: Waiting[] = [];

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  commit(changes: readonly GrantChange[]): Promise<readonly ChangeResult[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve });
      this.#parts.kernel.exclusive(() => this.#commitWaiting()).catch(reject);
    });
  }

  listGrants(): Promise<readonly Grant[]> {
    const { kernel, clock } = this.#parts;
    return kernel.exclusive(async () => grantsOf(await kernel.list(), clock.nowMicros()));
  }

  /** Of several changes to one door only the last is carried out; the earlier ones go as it goes. */
  async #commitWaiting(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const lastOfDoor = new Map<string, GrantChange>();
    for (const { changes } of waiting) for (const change of changes) lastOfDoor.set(changeKey(change), change);
    const results = await new ChangeBatch(this.#parts).carryOut([...lastOfDoor]);
    for (const { changes, resolve } of waiting) resolve(changes.map((change) => resultOf(change, results)));
  }
}

function resultOf(change: GrantChange, results: ReadonlyMap<string, ChangeResult>): ChangeResult {
  return results.get(changeKey(change)) ?? { kind: "refused", reason: "kernel-error", detail: "no result" };
}
