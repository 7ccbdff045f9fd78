import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkCommand } from "../../../src/cli/check.ts";
import { compile } from "../../../src/policy/compile.ts";
import type { ConfigText } from "../../../src/policy/document.ts";
import type { Problem } from "../../../src/policy/problem.ts";
import { MemoryIo } from "../../fake/memory-io.ts";
import { plainOptions } from "../../fake/policy-text.ts";
import { expectedProblems, expectedWarnings } from "../../fixture/policies/expected-problems.ts";

const folder = new URL("../../fixture/policies/", import.meta.url).pathname;
const badFiles = readdirSync(join(folder, "bad"));

function fileText(path: string): ConfigText {
  return { origin: path, format: "yaml", text: readFileSync(join(folder, path), "utf8") };
}

function shown({ place, code, field }: Problem): string {
  return `${place.line}:${place.column} ${code} ${field}`.trim();
}

describe("bad files", () => {
  test("there are at least 25, and every one has its expectation", () => {
    expect(badFiles.length).toBeGreaterThanOrEqual(25);
    expect(Object.keys(expectedProblems).sort()).toEqual(badFiles.sort());
  });

  test.each(badFiles)("every problem of %s is found in one run, with its line", (file) => {
    const { problems } = compile([fileText(`bad/${file}`)], plainOptions);
    expect(problems.map(shown)).toEqual(expectedProblems[file]);
  });

  test("check finds the problems of all files in one run", async () => {
    const io = new MemoryIo();
    expect(await checkCommand({ paths: [join(folder, "bad")], output: "json" }, io)).toBe(1);
    const rows: readonly { file: string; line: number; column: number; code: string; field: string }[] = JSON.parse(
      io.out,
    );
    const found = rows.map(({ file, line, column, code, field }) =>
      `${file} ${line}:${column} ${code} ${field}`.trim(),
    );
    const wanted = Object.entries(expectedProblems).flatMap(([file, lines]) =>
      lines.map((line) => `${join(folder, "bad", file)} ${line}`),
    );
    expect(found.sort()).toEqual(wanted.sort());
  });

  test("no message holds a step", () => {
    const texts = badFiles.map((file) => fileText(`bad/${file}`));
    const { problems } = compile(texts, plainOptions);
    // Steps in these files are numbers of five digits; critical ports, bounds and names are none of them.
    const numbers = problems.flatMap(({ message, field }) => `${message} ${field}`.match(/(?<!door-)\b\d{5}/g) ?? []);
    expect(numbers.filter((number) => number !== "10250" && number !== "65535")).toEqual([]);
  });
});

describe("good files", () => {
  test.each(["everything.yaml", "two.yaml", "list.json"])("%s is accepted without a word", (file) => {
    const { problems, policies, declared, rejected } = compile([fileText(`good/${file}`)], plainOptions);
    expect(problems).toEqual([]);
    expect(policies.length).toBe(declared);
    expect(rejected).toBe(0);
  });

  test("warnings reject nothing", () => {
    const { problems, policies } = compile([fileText("good/warned.yaml")], plainOptions);
    expect(problems.map(shown)).toEqual(expectedWarnings);
    expect(policies.length).toBe(6);
  });
});
