import type { Clock } from "../clock.ts";
import type { GateReport } from "./gate-report.ts";
import type { Nft, TableListing } from "./nft.ts";
import type { Transaction } from "./transaction.ts";

/**
 * Everything that is done to the table goes through here, one piece of work after the other, so that a comparison never
 * sees a half-told change. It also knows whether somebody else has touched nftables since.
 */
export class Kernel {
  readonly #nft: Nft;
  readonly #clock: Clock;
  readonly #report: GateReport;
  #last: Promise<unknown> = Promise.resolve();
  /** The generation up to which all changes were ours; undefined before the first look, and where it cannot be asked for. */
  #knownGeneration: number | undefined;

  constructor(parts: { readonly nft: Nft; readonly clock: Clock; readonly report: GateReport }) {
    this.#nft = parts.nft;
    this.#clock = parts.clock;
    this.#report = parts.report;
  }

  /** Carries out the work when all that was asked for before has ended, and hands its result or error through. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Applies a transaction; only within `exclusive`. An empty one is no transaction. */
  async apply(transaction: Transaction): Promise<void> {
    if (transaction.operations().length === 0) return;
    const before = await this.#nft.generation();
    const began = this.#clock.nowMicros();
    const seconds = () => (this.#clock.nowMicros() - began) / 1e6;
    try {
      await this.#nft.run(transaction);
    } catch (error) {
      this.#report.transaction("failed", seconds());
      throw error;
    }
    this.#report.transaction("ok", seconds());
    const ours = before !== undefined && before === this.#knownGeneration;
    if (ours && (await this.#nft.generation()) === nextGeneration(before))
      this.#knownGeneration = nextGeneration(before);
  }

  /** The table as it is; only within `exclusive`. Changes made before are known from here on. */
  async list(): Promise<TableListing | undefined> {
    const before = await this.#nft.generation();
    const listing = await this.#nft.list();
    this.#knownGeneration = before;
    return listing;
  }

  /** Whether nftables was changed by somebody else since the last `list`; undefined where nobody can tell. */
  async changedByOthers(): Promise<boolean | undefined> {
    const generation = await this.#nft.generation();
    return generation === undefined ? undefined : generation !== this.#knownGeneration;
  }
}

/** The kernel counts in 32 bits and skips 0 (nf_tables_commit). */
function nextGeneration(generation: number): number {
  return (generation + 1) >>> 0 || 1;
}
