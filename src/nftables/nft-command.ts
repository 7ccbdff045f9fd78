import { type Generation, openGeneration } from "./generation.ts";
import { parseListing } from "./listing-parser.ts";
import type { CounterListing, Nft, TableListing } from "./nft.ts";
import { classifyNftError, isNftError, NftError } from "./nft-error.ts";
import { tableFamily, tableName } from "./objects.ts";
import { type ProgramResult, type RunProgram, runProgram } from "./program.ts";
import { renderTransaction } from "./render.ts";
import type { Transaction } from "./transaction.ts";

/**
 * nftables through the program `nft`, a process for each call: 4 ms. Used where the library cannot be loaded. Rejects
 * with NftError `no-nft` where there is no such program.
 */
export async function openNftCommand(
  run: RunProgram = runProgram,
  openCounter: () => Generation | undefined = openGeneration,
): Promise<Nft> {
  const nft = new NftCommand(run, openCounter());
  await nft.probe();
  return nft;
}

class NftCommand implements Nft {
  readonly means = "nft";
  readonly #runProgram: RunProgram;
  readonly #generation: Generation | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(run: RunProgram, generation: Generation | undefined) {
    this.#runProgram = run;
    this.#generation = generation;
  }

  async probe(): Promise<void> {
    await this.#nft(["--version"], "");
  }

  async run(transaction: Transaction): Promise<void> {
    await this.#apply(["-f", "-"], transaction);
  }

  async check(transaction: Transaction): Promise<void> {
    await this.#apply(["--check", "-f", "-"], transaction);
  }

  list(): Promise<TableListing | undefined> {
    return this.#listing(["-a", "-y", "-p", "list", "table", tableFamily, tableName]);
  }

  async counter(name: string): Promise<CounterListing | undefined> {
    return (await this.#listing(["list", "counter", tableFamily, tableName, name]))?.counters.get(name);
  }

  async generation(): Promise<number | undefined> {
    return this.#generation?.read();
  }

  close(): void {
    this.#generation?.close();
  }

  async #listing(args: readonly string[]): Promise<TableListing | undefined> {
    try {
      return parseListing(await this.#nft(args, ""));
    } catch (error) {
      if (isNftError(error, "not-found")) return undefined;
      throw error;
    }
  }

  async #apply(args: readonly string[], transaction: Transaction): Promise<void> {
    const text = renderTransaction(transaction);
    if (text !== "") await this.#nft(args, text);
  }

  #nft(args: readonly string[], input: string): Promise<string> {
    const result = this.#last.then(async () => outputOf(await this.#runProgram("nft", args, input)));
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function outputOf(result: ProgramResult): string {
  if (result.status === 0) return result.stdout;
  if (result.failure === "missing") throw new NftError("no-nft", "there is no program nft");
  if (result.failure === "timed-out") throw new NftError("timed-out", "nft was ended");
  throw classifyNftError(result.stderr);
}
