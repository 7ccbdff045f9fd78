/** Every way in which nftables refuses, by a code that is stable across releases. */
export const nftErrors = {
  "set-full": "the set holds as many elements as it may",
  exists: "the object is there already",
  "not-found": "the object, or one that it refers to, is not there",
  busy: "the object is still referred to",
  "not-permitted": "nftables needs the capability NET_ADMIN",
  unsupported: "this kernel cannot do what the ruleset needs",
  syntax: "this nft does not understand the ruleset; it must be 1.0.1 or later",
  invalid: "a value is outside what nftables takes",
  "no-nft": "neither libnftables.so.1 nor the nft program could be used; install the package nftables",
  "timed-out": "the nft program gave no answer in time",
  failed: "nftables refused",
} as const;

export type NftErrorCode = keyof typeof nftErrors;

/** A refusal of nftables. `code` is for decisions, the message for people. */
export class NftError extends Error {
  override readonly name = "NftError";
  readonly code: NftErrorCode;

  constructor(code: NftErrorCode, detail: string, options?: ErrorOptions) {
    super(`${nftErrors[code]}: ${detail}`, options);
    this.code = code;
  }
}

/** Whether this is an NftError of one of these codes. */
export function isNftError(error: unknown, ...codes: readonly NftErrorCode[]): error is NftError {
  return error instanceof NftError && codes.includes(error.code);
}

/** Whether this is a failure of nftables that may pass; the others need somebody to install, permit or update something. */
export function mayPass(error: unknown): error is NftError {
  return error instanceof NftError && !isNftError(error, "not-permitted", "no-nft", "unsupported", "syntax");
}

/** strerror(3) in the C locale, as nft prints it, and what it means for us. */
const meanings: readonly (readonly [RegExp, NftErrorCode])[] = [
  [/Too many open files in system/, "set-full"],
  [/File exists/, "exists"],
  [/No such file or directory/, "not-found"],
  [/Device or resource busy/, "busy"],
  [/Operation not permitted|Permission denied/, "not-permitted"],
  [/Operation not supported|Protocol not supported|Address family not supported/, "unsupported"],
  [/syntax error|Could not resolve|Unknown|unexpected/, "syntax"],
  [/Invalid argument|out of range|Value too large|Interval overlaps|conflicting intervals/i, "invalid"],
];

/**
 * Reads what nft wrote to stderr. Only the first line counts; the lines below it repeat the command:
 *
 *     /dev/stdin:1:42-59: Error: Could not process rule: No such file or directory
 *     delete element inet knockgate granted4 { 192.0.2.9 . tcp . 22 }
 *                                              ^^^^^^^^^^^^^^^^^^^^
 */
export function classifyNftError(stderr: string): NftError {
  const first = stderr.trim().split("\n", 1)[0] ?? "";
  const detail = first.replace(/^\S*?:\d+:\d+(-\d+)?: /, "").replace(/^Error: /, "") || "no reason was given";
  const code = meanings.find(([pattern]) => pattern.test(first))?.[1] ?? "failed";
  return new NftError(code, detail);
}
