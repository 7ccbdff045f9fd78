import { expect, test } from "vitest";
import { LogLines } from "../../../src/capture/log-lines.ts";

function linesOf(...chunks: readonly (string | Uint8Array | "forget")[]): readonly string[] {
  const lines: string[] = [];
  const reader = new LogLines();
  for (const chunk of chunks) {
    if (chunk === "forget") reader.forget();
    else reader.read(typeof chunk === "string" ? Buffer.from(chunk) : chunk, (line) => lines.push(line));
  }
  return lines;
}

test.each([
  { name: "several in one read", chunks: ["a\nb\n\nc\n"], lines: ["a", "b", "", "c"] },
  { name: "one in several reads", chunks: ["a", "", "b", "c\nd"], lines: ["abc"] },
  { name: "a letter of several bytes, cut", chunks: [Buffer.from([0xc3]), Buffer.from([0xbc, 0x0a])], lines: ["ü"] },
  { name: "an end of DOS", chunks: ["a\r\nb\r\n"], lines: ["a", "b"] },
  { name: "the rest of a line that will not come", chunks: ["begun", "forget", "a\n"], lines: ["a"] },
  { name: "one too long, in one read", chunks: [`${"x".repeat(8193)}\na\n`], lines: ["a"] },
  {
    name: "one too long, in many reads",
    chunks: [...Array.from({ length: 100 }, () => "x".repeat(1000)), "\na\n"],
    lines: ["a"],
  },
  { name: "one just short enough", chunks: [`${"x".repeat(8192)}\n`], lines: ["x".repeat(8192)] },
  { name: "bytes that are no UTF-8", chunks: [Buffer.from([0xff, 0x0a, 0x61, 0x0a])], lines: ["\ufffd", "a"] },
])("lines come however they are cut: $name", ({ chunks, lines }) => {
  expect(linesOf(...chunks)).toEqual(lines);
});
