import { expect, test } from "vitest";
import { classifyNftError, isNftError, nftErrors } from "../../../src/nftables/nft-error.ts";

test.each([
  ["/dev/stdin:1:1-9: Error: Could not process rule: Too many open files in system\nadd element", "set-full"],
  ["/dev/stdin:1:19-27: Error: Could not process rule: File exists\ncreate table", "exists"],
  ["/dev/stdin:1:42-59: Error: Could not process rule: No such file or directory", "not-found"],
  ["Error: No such file or directory\nlist table inet knockgate", "not-found"],
  ["<cmdline>:1:27-33: Error: Could not process rule: Device or resource busy", "busy"],
  ["Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed", "not-permitted"],
  ["/dev/stdin:2:54-54: Error: syntax error, unexpected '}'", "syntax"],
  ["Error: Could not process rule: Operation not supported", "unsupported"],
  ["Error: conflicting intervals specified", "invalid"],
  ["Error: something new\nFile exists", "failed"],
  ["", "failed"],
])("%j is %s", (stderr, code) => {
  const error = classifyNftError(stderr);
  expect(error.code).toBe(code);
  expect(error.message).toContain(nftErrors[error.code]);
  expect(isNftError(error, error.code)).toBe(true);
});

test("other errors are none of ours", () => {
  expect(isNftError(new Error("not-found"), "not-found")).toBe(false);
});
