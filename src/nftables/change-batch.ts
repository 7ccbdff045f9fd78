import type { Clock } from "../clock.ts";
import type { ChangeResult, GrantChange, Refusal } from "../grant/grant.ts";
import { doorElement, doorKey, grantElement } from "./grant-element.ts";
import type { Kernel } from "./kernel.ts";
import { isNftError } from "./nft-error.ts";
import { renderKey } from "./render.ts";
import { Transaction } from "./transaction.ts";

/** What a batch is carried out with. */
export interface BatchParts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** Puts the table back when it has gone; called while no other work is done to the table. */
  readonly mend: () => Promise<void>;
}

type Keyed = readonly [key: string, change: GrantChange];

/** From how many changes on it is quicker to list a full set than to halve: each refusal takes the kernel 10 ms. */
const worthListing = 8;

const done: ChangeResult = { kind: "done" };

/** Identifies the door that a change is about. */
export function changeKey(change: GrantChange): string {
  return change.kind === "open" ? doorKey(change.grant.source, change.grant.port) : doorKey(change.source, change.port);
}

/**
 * Changes of different doors that are carried out together: in one transaction if that goes, else in as many as it takes
 * so that one bad change costs only itself.
 *
 *     all at once ── not-found ──► mend the table, once more
 *                 ── set-full ───► refuse what there is no room for, once more
 *                 ── else ───────► each half by itself, down to the one that cannot be done
 */
export class ChangeBatch {
  readonly #parts: BatchParts;
  readonly #results = new Map<string, ChangeResult>();

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  /** Carries out the changes; the results are by the keys given. */
  async carryOut(changes: readonly Keyed[]): Promise<ReadonlyMap<string, ChangeResult>> {
    let left = changes;
    let error = await this.#tryAll(left);
    if (isNftError(error, "not-found") && (await this.#mended())) error = await this.#tryAll(left);
    if (isNftError(error, "set-full") && left.length >= worthListing) {
      left = await this.#withinRoom(left, error);
      error = await this.#tryAll(left);
    }
    if (error !== undefined) await this.#split(left, error);
    return this.#results;
  }

  async #tryAll(changes: readonly Keyed[]): Promise<unknown> {
    try {
      await this.#parts.kernel.apply(transactionOf(changes, this.#parts.clock.nowMicros()));
      for (const [key] of changes) this.#results.set(key, done);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** What to do about changes that failed together. */
  async #split(changes: readonly Keyed[], error: unknown): Promise<void> {
    const [first] = changes;
    if (concernsAll(error)) {
      for (const [key] of changes) this.#results.set(key, refused(error));
    } else if (changes.length === 1 && first !== undefined) {
      this.#results.set(first[0], await this.#settle(first[1], error));
    } else {
      const middle = changes.length >>> 1;
      for (const half of [changes.slice(0, middle), changes.slice(middle)]) {
        const cause = await this.#tryAll(half);
        if (cause !== undefined) await this.#split(half, cause);
      }
    }
  }

  /** A close of what is not there has happened; in a full set the tolerant form of it fails. */
  async #settle(change: GrantChange, error: unknown): Promise<ChangeResult> {
    if (change.kind === "open") return refused(error);
    try {
      await this.#parts.kernel.apply(new Transaction().delete(doorElement(change.source, change.port)));
      return done;
    } catch (second) {
      return isNftError(second, "not-found") ? done : refused(second);
    }
  }

  /** Refuses new doors beyond what the sets can take, and returns the rest; closes of what is not there are done. */
  async #withinRoom(changes: readonly Keyed[], error: unknown): Promise<readonly Keyed[]> {
    const listing = await this.#parts.kernel.list();
    const left: Keyed[] = [];
    for (const digit of ["4", "6"]) {
      const found = listing?.sets.get(`granted${digit}`);
      const there = new Set(found?.elements.map(({ key }) => renderKey(key)));
      let room = (found?.set?.size ?? Infinity) - there.size;
      for (const keyed of changes.filter(([, change]) => setOf(change) === `granted${digit}`)) {
        const [key, change] = keyed;
        if (there.has(key)) left.push(keyed);
        else if (change.kind === "close") this.#results.set(key, done);
        else if (room-- > 0) left.push(keyed);
        else this.#results.set(key, refused(error));
      }
    }
    return left;
  }

  async #mended(): Promise<boolean> {
    try {
      await this.#parts.mend();
      return true;
    } catch {
      return false; // the first error is the one to tell; the reconciler has told of this one
    }
  }
}

/**
 * Each door is added, deleted, and added again with its timeout: before Linux 6.12 adding an element that is there
 * changes nothing, and says that it worked. The three go in three blocks, so that each is one command a set.
 */
function transactionOf(changes: readonly Keyed[], nowMicros: number): Transaction {
  const transaction = new Transaction();
  const doors = changes
    .map(([, change]) => ({ change, ...(change.kind === "open" ? change.grant : change) }))
    .map(({ change, source, port }) => ({ change, door: doorElement(source, port) }))
    .sort((one, other) => Number(one.door.set > other.door.set) - Number(one.door.set < other.door.set));
  for (const { door } of doors) transaction.add(door);
  for (const { door } of doors) transaction.delete(door);
  for (const { change } of doors) {
    const element = change.kind === "open" ? grantElement(change.grant, nowMicros) : undefined;
    if (element !== undefined) transaction.add(element);
  }
  return transaction;
}

function setOf(change: GrantChange): string {
  const { source, port } = change.kind === "open" ? change.grant : change;
  return doorElement(source, port).set;
}

/** Whether smaller transactions would fail in the same way. */
function concernsAll(error: unknown): boolean {
  return isNftError(error, "not-permitted", "no-nft", "timed-out", "unsupported", "syntax");
}

function refused(error: unknown): ChangeResult {
  const detail = error instanceof Error ? error.message : String(error);
  return { kind: "refused", reason: refusalOf(error), detail };
}

function refusalOf(error: unknown): Refusal {
  if (isNftError(error, "set-full")) return "set-full";
  return isNftError(error, "not-permitted") ? "not-permitted" : "kernel-error";
}
