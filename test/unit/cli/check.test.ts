import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkCommand } from "../../../src/cli/check.ts";
import { MemoryIo } from "../../fake/memory-io.ts";
import { policyText } from "../../fake/policy-text.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kg-check-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test("a sound file needs no words on stdout", async () => {
  const io = new MemoryIo();
  expect(await checkCommand({ paths: [file("a.yaml", policyText({ name: "ssh" }))] }, io)).toBe(0);
  expect(io.out).toBe("");
  expect(io.err).toBe("1 file: 1 policy accepted, 0 rejected, 0 errors, 0 warnings\n");
});

test("problems are a table, with a place that editors follow", async () => {
  const io = new MemoryIo();
  const path = file("a.yaml", policyText({ name: "ssh", steps: "[9101, 7102]", opensFor: "soon" }));
  expect(await checkCommand({ paths: [path] }, io)).toBe(1);
  const [head, row] = io.out.replaceAll(folder, "").split("\n");
  expect(head).toMatch(/^PLACE +SEVERITY {2}CODE +POLICY +FIELD +MESSAGE$/);
  expect(row?.split(/ {2,}/)).toEqual([
    "/a.yaml:6:25",
    "error",
    "duration-invalid",
    "default/ssh",
    "spec.opens.for",
    "This is not a duration; write a whole number with a unit, such as 250ms, 10s, 5m or 1h.",
  ]);
});

test("warnings are shown and reject nothing", async () => {
  const io = new MemoryIo();
  expect(await checkCommand({ paths: [file("a.yaml", policyText({ name: "ssh", steps: "[9101, 7102]" }))] }, io)).toBe(
    0,
  );
  expect(io.out).toContain("steps-few");
  expect(io.err).toContain("1 policy accepted, 0 rejected, 0 errors, 1 warning");
});

test("json is for programs", async () => {
  const io = new MemoryIo();
  const path = file("a.yaml", "a: [\n");
  expect(await checkCommand({ paths: [path], output: "json" }, io)).toBe(1);
  expect(JSON.parse(io.out)).toMatchObject([{ file: path, line: 2, severity: "error", code: "yaml-invalid" }]);
  const empty = new MemoryIo();
  await checkCommand({ paths: [file("b.yaml", "")], output: "json" }, empty);
  expect(JSON.parse(empty.out)).toEqual([]);
});

test("it judges as an agent with the same options would", async () => {
  const paths = [file("a.yaml", policyText({ name: "ssh", ports: "[6443]" }))];
  expect(await checkCommand({ paths }, new MemoryIo())).toBe(1);
  expect(await checkCommand({ paths, allowCritical: true }, new MemoryIo())).toBe(0);
  const guards = [{ protocol: "tcp", port: 7102 }] as const;
  expect(await checkCommand({ paths, allowCritical: true, guards }, new MemoryIo())).toBe(1);
});

test("what cannot be read fails, in a sentence", async () => {
  const io = new MemoryIo();
  expect(await checkCommand({ paths: [join(folder, "absent")] }, io)).toBe(1);
  expect(io.err).toContain("absent does not exist");
});

test("without a path it is wrong usage", async () => {
  expect(await checkCommand({ paths: [] }, new MemoryIo())).toBe(2);
});
