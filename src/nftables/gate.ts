import type { Clock } from "../clock.ts";
import type { ChangeResult, Gate, Grant, GrantChange, Refusal } from "../grant/grant.ts";
import { doorElement, doorKey, grantElement, grantsOf } from "./grant-element.ts";
import type { Kernel } from "./kernel.ts";
import { isNftError } from "./nft-error.ts";
import { Transaction } from "./transaction.ts";

/** What a kernel gate is made of. */
export interface KernelGateParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** Puts the table back when it has gone; called while no other work is done to the table. */
  readonly mend: () => Promise<void>;
}

interface Waiting {
  readonly changes: readonly GrantChange[];
  readonly resolve: (results: readonly ChangeResult[]) => void;
}

const done: ChangeResult = { kind: "done" };

/** The gate in the kernel: grants are elements of the sets `granted4` and `granted6`. Calls that wait together share a transaction. */
export class KernelGate implements Gate {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #mend: () => Promise<void>;
  #waiting: Waiting[] = [];

  constructor(parts: KernelGateParts) {
    this.#kernel = parts.kernel;
    this.#clock = parts.clock;
    this.#mend = parts.mend;
  }

  commit(changes: readonly GrantChange[]): Promise<readonly ChangeResult[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve });
      this.#kernel.exclusive(() => this.#commitWaiting()).catch(reject);
    });
  }

  listGrants(): Promise<readonly Grant[]> {
    return this.#kernel.exclusive(async () => {
      const listing = await this.#kernel.list();
      return grantsOf(listing, this.#clock.nowMicros());
    });
  }

  /** Of several changes to one door only the last is carried out; the earlier ones go as it goes. */
  async #commitWaiting(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const lastOfDoor = new Map<string, GrantChange>();
    for (const { changes } of waiting) for (const change of changes) lastOfDoor.set(keyOf(change), change);
    const results = new Map<string, ChangeResult>();
    const left = [...lastOfDoor];
    await this.#settle(left, results, true);
    for (const { changes, resolve } of waiting) resolve(changes.map((change) => results.get(keyOf(change)) ?? done));
  }

  /** Commits all or splits: one bad change costs only itself, at the price of about two transactions for each halving. */
  async #settle(changes: readonly KeyedChange[], results: Map<string, ChangeResult>, mayMend: boolean): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.#kernel.apply(this.#transactionOf(changes.map(([, change]) => change)));
      for (const [key] of changes) results.set(key, done);
    } catch (error) {
      if (mayMend && isNftError(error, "not-found") && (await this.#mended()))
        return this.#settle(changes, results, false);
      if (changes.length > 1 && !concernsAll(error)) {
        const middle = changes.length >>> 1;
        await this.#settle(changes.slice(0, middle), results, false);
        await this.#settle(changes.slice(middle), results, false);
        return;
      }
      for (const [key, change] of changes)
        results.set(key, changes.length === 1 ? await this.#settleOne(change, error) : refused(error));
    }
  }

  /** A close of what is not there has happened; in a full set the tolerant form of it fails. */
  async #settleOne(change: GrantChange, error: unknown): Promise<ChangeResult> {
    if (change.kind === "open" || concernsAll(error)) return refused(error);
    try {
      await this.#kernel.apply(new Transaction().delete(doorElement(change.source, change.port)));
      return done;
    } catch (second) {
      return isNftError(second, "not-found") ? done : refused(second);
    }
  }

  async #mended(): Promise<boolean> {
    try {
      await this.#mend();
      return true;
    } catch {
      return false; // the first error is the one to tell; the reconciler has told of this one
    }
  }

  /**
   * Each door is added, deleted, and added again with its timeout: before Linux 6.12 adding an element that is there
   * changes nothing, and says that it worked. The three go in three blocks, so that each is one command.
   */
  #transactionOf(changes: readonly GrantChange[]): Transaction {
    const transaction = new Transaction();
    const nowMicros = this.#clock.nowMicros();
    const doors = changes
      .map((change) => ({ change, ...(change.kind === "open" ? change.grant : change) }))
      .map(({ change, source, port }) => ({ change, door: doorElement(source, port) }))
      .sort((one, other) => one.door.set.localeCompare(other.door.set));
    for (const { door } of doors) transaction.add(door);
    for (const { door } of doors) transaction.delete(door);
    for (const { change } of doors) {
      const element = change.kind === "open" ? grantElement(change.grant, nowMicros) : undefined;
      if (element !== undefined) transaction.add(element);
    }
    return transaction;
  }
}

type KeyedChange = readonly [string, GrantChange];

function keyOf(change: GrantChange): string {
  return change.kind === "open" ? doorKey(change.grant.source, change.grant.port) : doorKey(change.source, change.port);
}

/** Whether smaller transactions would fail in the same way. */
function concernsAll(error: unknown): boolean {
  return isNftError(error, "not-permitted", "no-nft", "timed-out", "unsupported", "syntax");
}

function refused(error: unknown): ChangeResult {
  const reason: Refusal = isNftError(error, "set-full")
    ? "set-full"
    : isNftError(error, "not-permitted")
      ? "not-permitted"
      : "kernel-error";
  return { kind: "refused", reason, detail: error instanceof Error ? error.message : String(error) };
}
