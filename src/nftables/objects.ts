import type { Address } from "../policy/address.ts";
import type { Protocol } from "../policy/port.ts";

/** The one table that is ever written: `inet knockgate`. */
export const tableFamily = "inet";
export const tableName = "knockgate";

/** What one part of a set's key can be; nft's names of types (nft(8), DATA TYPES). */
export type KeyType = "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service";

/** A set: its shape, not its elements. */
export interface NftSet {
  readonly kind: "set";
  readonly name: string;
  /** Joined by `.` where there are several. */
  readonly type: readonly KeyType[];
  /** Elements are ranges of addresses. */
  readonly interval?: boolean | undefined;
  /** Overlapping and adjacent ranges become one; only with `interval`. */
  readonly autoMerge?: boolean | undefined;
  /** Elements may have a timeout. */
  readonly timeout?: boolean | undefined;
  /** How many elements it holds at most; undefined: no bound of ours. Adding one more fails with `set-full`. */
  readonly size?: number | undefined;
}

/** One part of an element's key. A range is inclusive and of one family; addresses are never shared with a reused record. */
export type KeyPart =
  | { readonly kind: "address"; readonly address: Address }
  | { readonly kind: "range"; readonly first: Address; readonly last: Address }
  | { readonly kind: "protocol"; readonly protocol: Protocol }
  | { readonly kind: "port"; readonly port: number };

/** One element of a set. */
export interface NftElement {
  readonly kind: "element";
  readonly set: string;
  readonly key: readonly KeyPart[];
  /** Whole milliseconds, above 0; undefined: it stays until deleted. */
  readonly timeoutMs?: number | undefined;
  /** Only in a listing: what is left of the timeout. */
  readonly expiresMs?: number | undefined;
  /** At most 128 characters of `commentPattern`; the kernel keeps 128 bytes. */
  readonly comment?: string | undefined;
}

/** A chain; with a hook it is a base chain whose policy is accept, so that the table can only close. */
export interface NftChain {
  readonly kind: "chain";
  readonly name: string;
  readonly hook?: { readonly name: "prerouting"; readonly priority: number } | undefined;
}

/** One rule. Its text is made by the template tag `rule`, and nothing else. */
export interface NftRule {
  readonly kind: "rule";
  readonly chain: string;
  readonly expression: RuleText;
}

/** A named counter. */
export interface NftCounter {
  readonly kind: "counter";
  readonly name: string;
}

/** The table itself. */
export interface NftTable {
  readonly kind: "table";
}

export type NftObject = NftTable | NftSet | NftElement | NftChain | NftRule | NftCounter;

/** Text of a rule whose parts were written in this program or checked. */
export type RuleText = string & { readonly madeBy: "rule" };

/** What a set, chain or counter may be called. */
export const namePattern = /^[a-z][a-z0-9_]{0,30}$/;

/** What a comment may hold: nothing that ends a quoted string or a line. */
export const commentPattern = /^[A-Za-z0-9 ,.:_/-]{1,128}$/;

/**
 * Makes the text of a rule: the literal parts come from this source, and what is put in between must be the name of an
 * object. Nothing that a person or a packet wrote can become part of a rule.
 */
export function rule(literals: TemplateStringsArray, ...names: readonly string[]): RuleText {
  for (const name of names)
    if (!namePattern.test(name)) throw new RangeError(`not the name of an nftables object: ${name}`);
  return String.raw({ raw: literals }, ...names) as RuleText;
}
