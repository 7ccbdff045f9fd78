import type { Address } from "../policy/address.ts";
import type { Port } from "../policy/port.ts";
import type { HoldId } from "./hold.ts";

/** One open door: a source and a port, which policies opened it, and until when. What one set element holds. */
export interface Grant {
  readonly source: Address;
  readonly port: Port;
  /**
   * Through which policies it is held open, and how, without repeats; an element's comment holds twelve at least. None: it was
   * opened by hand.
   */
  readonly policies: readonly HoldId[];
  /** Monotonic microseconds; undefined: until closed. */
  readonly deadlineMicros: number | undefined;
}

/** Stands for the policy of an element that somebody put into the kernel by hand. No policy is called so: a name has no blank. */
export const byHand = "by hand";

/** A change of what is open. `open` adds a grant or renews it; `close` takes it away before its deadline. */
export type GrantChange =
  | { readonly kind: "open"; readonly grant: Grant }
  | { readonly kind: "close"; readonly source: Address; readonly port: Port };

/** Why a grant was not made: the closed list, for audit and log. */
export const refusals = [
  "set-full",
  "limit",
  "not-permitted",
  "inside-range",
  "never-grant",
  "source-not-allowed",
  "port-not-allowed",
  "kernel-error",
  "one-time",
] as const;
export type Refusal = (typeof refusals)[number];

/** How one change went; in the order of the changes. */
export type ChangeResult =
  | { readonly kind: "done" }
  | { readonly kind: "refused"; readonly reason: Refusal; readonly detail: string };

/**
 * The kernel's side of a grant, as far as the grant stage knows it; src/nftables implements it. Changes of one call are
 * one transaction; if it fails, it is split until the culprit is alone, so that nobody else's grant suffers. Calls are
 * carried out one after the other.
 */
export interface Gate {
  /** Never rejects for a single bad change: that is a refusal. A result `done` means the kernel has it. */
  commit(changes: readonly GrantChange[]): Promise<readonly ChangeResult[]>;
  /** What the kernel has open, for rebuilding the ledger; deadlines are rounded up to what the kernel tells. */
  listGrants(): Promise<readonly Grant[]>;
}
