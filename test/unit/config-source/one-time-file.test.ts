import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { spendOneTimeLine } from "../../../src/config-source/one-time-file.ts";
import type { OneTimeLine } from "../../../src/policy/policy.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "knockgate-one-time-"));
  file = join(folder, "sequences");
  writeFileSync(file, "# list\n 7000,8000\n 7100,8100\n", { mode: 0o640 });
});
afterEach(() => rmSync(folder, { recursive: true }));

const spend = (line: OneTimeLine, laterMs = 0) => spendOneTimeLine(line, (Date.now() + laterMs) * 1000);
const first = () => ({ file, line: 2, text: " 7000,8000", next: [] });

test("a line is marked, stays readable, and the file keeps its mode", () => {
  expect(spend(first())).toEqual({ kind: "spent" });
  expect(readFileSync(file, "utf8")).toBe("# list\n# 7000,8000\n 7100,8100\n");
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(["sequences"]);
});

test("a line can be spent once, whoever has read the file before", () => {
  expect(spend(first()).kind).toBe("spent");
  expect(spend(first()).kind).toBe("taken");
  expect(readFileSync(file, "utf8")).toBe("# list\n# 7000,8000\n 7100,8100\n");
});

test("a line that a crash left claimed is marked, and lost rather than used twice", () => {
  writeFileSync(`${file}.line-2`, "");
  expect(spend(first()).kind).toBe("taken");
  expect(readFileSync(file, "utf8")).toContain("\n 7000,8000\n");
  expect(spend(first(), 10_001).kind).toBe("taken");
  expect(readFileSync(file, "utf8")).toContain("\n# 7000,8000\n");
  expect(spend({ file, line: 3, text: " 7100,8100", next: [] }).kind).toBe("spent");
});

test("a file that is gone opens nothing and says why", () => {
  rmSync(file);
  expect(spend(first())).toMatchObject({ kind: "failed", reason: expect.stringContaining("ENOENT") });
});

test("bytes that are no UTF-8 stay as they are", () => {
  writeFileSync(file, Buffer.from("# T\xfcr\n 7000,8000\n", "latin1"));
  expect(spend(first()).kind).toBe("spent");
  expect(readFileSync(file, "latin1")).toBe("# T\xfcr\n# 7000,8000\n");
});
