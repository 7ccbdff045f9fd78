import type { NftChain, NftElement, NftSet } from "./objects.ts";
import type { Transaction } from "./transaction.ts";

/** What the kernel holds of the table. Maps are by name, in the kernel's order. */
export interface TableListing {
  /** Of the table: a table that was deleted and made again has another one. */
  readonly handle: number;
  /** Somebody has put the table to sleep: its chains see no packet (`flags dormant`). */
  readonly dormant: boolean;
  readonly sets: ReadonlyMap<string, SetListing>;
  readonly chains: ReadonlyMap<string, ChainListing>;
  readonly counters: ReadonlyMap<string, CounterListing>;
}

/** A set with its elements; intervals are listed as ranges, merged where the set merges. */
export interface SetListing {
  /** Unique within the table's life. */
  readonly handle: number;
  /** Undefined where it is of a type that this program never makes. */
  readonly set: NftSet | undefined;
  readonly elements: readonly NftElement[];
}

/** A chain with its rules as nft prints them, which need not be the text that they were added with. */
export interface ChainListing {
  readonly handle: number;
  /** Undefined where it hangs on a hook in a way that this program never uses. */
  readonly chain: NftChain | undefined;
  readonly rules: readonly string[];
}

/** What a named counter has counted. */
export interface CounterListing {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * The one way to nftables. Concerns the table `inet knockgate` of the network namespace this process runs in. Calls are
 * carried out one after the other. All reject with NftError; `list` and `generation` tell what is there after every
 * `run` that has resolved. Source: nft(8), libnftables(3).
 */
export interface Nft {
  /** Short, for logs: `libnftables`, `nft`, or `fake`. */
  readonly means: string;
  /** Applies a transaction, all or nothing. An empty one changes nothing. */
  run(transaction: Transaction): Promise<void>;
  /** Like run, but nothing changes: `nft --check`. The kernel's limits, such as a full set, are part of it. */
  check(transaction: Transaction): Promise<void>;
  /** The table, or undefined where there is none. */
  list(): Promise<TableListing | undefined>;
  /** One counter of the table, whatever the number of elements; undefined where there is no such counter or no table. */
  counter(name: string): Promise<CounterListing | undefined>;
  /**
   * A number that changes with every transaction of anybody in this network namespace, by one; elements that run out do
   * not change it. Undefined where it cannot be asked for.
   */
  generation(): Promise<number | undefined>;
  /** Gives the library and sockets back. Idempotent; nothing is called afterwards. */
  close(): void;
}
