import koffi from "koffi";
import { type Generation, openGeneration } from "./generation.ts";
import { parseListing } from "./listing-parser.ts";
import type { CounterListing, Nft, TableListing } from "./nft.ts";
import { classifyNftError, isNftError, NftError } from "./nft-error.ts";
import { tableFamily, tableName } from "./objects.ts";
import { renderTransaction } from "./render.ts";
import type { Transaction } from "./transaction.ts";

/** NFT_CTX_OUTPUT_ flags of nftables/libnftables.h: HANDLE, NUMERIC_PROTO, NUMERIC_PRIO. */
const outputFlags = (1 << 3) | (1 << 7) | (1 << 8);

/**
 * Commands longer than this run outside the event loop's thread: they take milliseconds. So does what follows a refusal,
 * for which the kernel takes about ten, since it may be followed by more of them. All others are quicker here (0.1 ms) than there (0.25 ms).
 */
const longCommand = 16_384;

/**
 * nftables through libnftables.so.1, in this process: 0.1 ms for a transaction of one element. A context is not
 * thread-safe, so one call ends before the next one begins. Throws NftError `no-nft` where the library cannot be loaded.
 */
export function openLibnftables(libraryName = "libnftables.so.1"): Nft {
  return new Libnftables(loadLibrary(libraryName), openGeneration());
}

type KoffiFunction = ReturnType<ReturnType<typeof koffi.load>["func"]>;

type Library = Readonly<Record<"run" | "output" | "error" | "dryRun" | "free", KoffiFunction>> & {
  readonly context: unknown;
};

function loadLibrary(name: string): Library {
  try {
    const library = koffi.load(name);
    const context: unknown = library.func("void *nft_ctx_new(uint32_t flags)")(0);
    if (context === null) throw new Error("nft_ctx_new returned no context");
    library.func("int nft_ctx_buffer_output(void *ctx)")(context);
    library.func("int nft_ctx_buffer_error(void *ctx)")(context);
    library.func("void nft_ctx_output_set_flags(void *ctx, unsigned int flags)")(context, outputFlags);
    return {
      context,
      run: library.func("int nft_run_cmd_from_buffer(void *ctx, const char *buf)"),
      output: library.func("const char *nft_ctx_get_output_buffer(void *ctx)"),
      error: library.func("const char *nft_ctx_get_error_buffer(void *ctx)"),
      dryRun: library.func("void nft_ctx_set_dry_run(void *ctx, bool dry)"),
      free: library.func("void nft_ctx_free(void *ctx)"),
    };
  } catch (error) {
    throw new NftError("no-nft", `${name} cannot be loaded`, { cause: error });
  }
}

class Libnftables implements Nft {
  readonly means = "libnftables";
  readonly #library: Library;
  readonly #generation: Generation | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  #refused = false;

  constructor(library: Library, generation: Generation | undefined) {
    this.#library = library;
    this.#generation = generation;
  }

  run(transaction: Transaction): Promise<void> {
    return this.#apply(transaction, false);
  }

  check(transaction: Transaction): Promise<void> {
    return this.#apply(transaction, true);
  }

  list(): Promise<TableListing | undefined> {
    return this.#listing(`list table ${tableFamily} ${tableName}`);
  }

  async counter(name: string): Promise<CounterListing | undefined> {
    return (await this.#listing(`list counter ${tableFamily} ${tableName} ${name}`))?.counters.get(name);
  }

  async generation(): Promise<number | undefined> {
    return this.#generation?.read();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#generation?.close();
    void this.#last.finally(() => this.#library.free(this.#library.context));
  }

  async #listing(command: string): Promise<TableListing | undefined> {
    try {
      return parseListing(await this.#queue(() => this.#command(command, true)));
    } catch (error) {
      if (isNftError(error, "not-found")) return undefined;
      throw error;
    }
  }

  async #apply(transaction: Transaction, dry: boolean): Promise<void> {
    const text = renderTransaction(transaction);
    if (text === "") return;
    await this.#queue(async () => {
      this.#library.dryRun(this.#library.context, dry);
      await this.#command(text, text.length > longCommand);
    });
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new NftError("no-nft", "it was closed"));
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #command(text: string, long: boolean): Promise<string> {
    const { context, run, output, error } = this.#library;
    const status: number = long || this.#refused ? await callOutside(run, context, text) : run(context, text);
    this.#refused = status !== 0;
    const printed: string | null = output(context);
    const complaint: string | null = error(context); // both are read each time: text left in them crashes the process at its exit
    if (status !== 0) throw classifyNftError(complaint ?? "");
    return printed ?? "";
  }
}

/** Calls in a thread of the pool. */
function callOutside(run: KoffiFunction, context: unknown, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    run.async(context, text, (error: Error | null, status: number) =>
      error === null ? resolve(status) : reject(error),
    );
  });
}
