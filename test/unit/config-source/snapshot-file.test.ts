import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SnapshotFile } from "../../../src/config-source/snapshot-file.ts";

const document = { origin: "/etc/knockgate/ssh.yaml", format: "yaml", text: "spec: {}\n" } as const;
const kept = new Map([["files /etc/knockgate", { documents: [document], withheld: ["bastion/web"] }]]);

let folder: string;
let state: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "knockgate-snapshots-"));
  state = join(folder, "state");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("snapshots are read as they were written, from a file of root alone", () => {
  expect(new SnapshotFile(state).read()).toEqual(new Map());
  new SnapshotFile(state).write(kept);
  expect(new SnapshotFile(state).read()).toEqual(kept);
  expect(readdirSync(state)).toEqual(["policies.json"]);
  expect([state, join(state, "policies.json")].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
});

test("whoever could read the file before cannot read the new one", () => {
  new SnapshotFile(state).write(kept);
  chmodSync(join(state, "policies.json"), 0o644);
  new SnapshotFile(state).write(new Map());
  expect(statSync(join(state, "policies.json")).mode & 0o777).toBe(0o600);
});

test.each([
  { what: "cut short", text: '{"version":1,"sources":[["files' },
  { what: "without sources", text: '{"version":1}' },
  { what: "with sources of another shape", text: '{"version":1,"sources":[["files",{"documents":7}]]}' },
  { what: "with a text that is none", text: JSON.stringify({ version: 1, sources: [["files", odd({ text: 7 })]] }) },
  { what: "with names that are none", text: JSON.stringify({ version: 1, sources: [["files", odd({}, [7])]] }) },
])("a file that is $what is damaged, and that is said", ({ text }) => {
  new SnapshotFile(state).write(kept);
  writeFileSync(join(state, "policies.json"), text);
  expect(() => new SnapshotFile(state).read()).toThrow("policies.json is damaged");
});

test("a file of another version is none", () => {
  new SnapshotFile(state).write(kept);
  const text = readFileSync(join(state, "policies.json"), "utf8");
  writeFileSync(join(state, "policies.json"), text.replace('"version":1', '"version":2'));
  expect(new SnapshotFile(state).read()).toEqual(new Map());
});

function odd(change: object, withheld: readonly unknown[] = []): object {
  return { documents: [{ ...document, ...change }], withheld };
}
