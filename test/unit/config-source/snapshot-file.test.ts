import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SnapshotFile } from "../../../src/config-source/snapshot-file.ts";
import { objectText, plainSpec, secretSpec } from "../../fake/object-text.ts";

const document = { origin: "/etc/knockgate/ssh.yaml", format: "yaml", text: "spec: {}\n" } as const;
const kept = new Map([["files /etc/knockgate", { documents: [document], withheld: ["bastion/web"] }]]);

let folder: string;
let state: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "knockgate-snapshots-"));
  state = join(folder, "state");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The file of the state directory, as an agent without further options writes it. */
function stored(keepsSecrets = false): SnapshotFile {
  return new SnapshotFile(state, { keepsSecrets });
}

test("snapshots are read as they were written, from a file of root alone", () => {
  expect(stored().read()).toEqual(new Map());
  stored().write(kept);
  expect(stored().read()).toEqual(kept);
  expect(readdirSync(state)).toEqual(["policies.json"]);
  expect([state, join(state, "policies.json")].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
});

test("whoever could read the file before cannot read the new one", () => {
  stored().write(kept);
  chmodSync(join(state, "policies.json"), 0o644);
  stored().write(new Map());
  expect(statSync(join(state, "policies.json")).mode & 0o777).toBe(0o600);
});

test.each([
  { what: "cut short", text: '{"version":1,"sources":[["files' },
  { what: "without sources", text: '{"version":1}' },
  { what: "with sources of another shape", text: '{"version":1,"sources":[["files",{"documents":7}]]}' },
  { what: "with a text that is none", text: JSON.stringify({ version: 1, sources: [["files", odd({ text: 7 })]] }) },
  { what: "with names that are none", text: JSON.stringify({ version: 1, sources: [["files", odd({}, [7])]] }) },
])("a file that is $what is damaged, and that is said", ({ text }) => {
  stored().write(kept);
  writeFileSync(join(state, "policies.json"), text);
  expect(() => stored().read()).toThrow("policies.json is damaged");
});

test.each([
  { keepsSecrets: false, secret: { kind: "trouble", code: "secret-not-kept" } },
  { keepsSecrets: true, secret: { kind: "text", text: "7001,7003,7002" } },
])("what was read from Secrets is kept only when asked for: $keepsSecrets", ({ keepsSecrets, secret }) => {
  const documents = [objectText(secretSpec, { kind: "text", text: "7001,7003,7002" }, "ssh"), objectText(plainSpec)];
  stored(keepsSecrets).write(new Map([["crd bastion", { documents, withheld: [] }]]));
  const read = stored().read().get("crd bastion")?.documents;
  expect(read).toEqual([{ ...documents[0], secret }, documents[1]]);
  expect(readFileSync(join(state, "policies.json"), "utf8").includes("7001,7003")).toBe(keepsSecrets);
});

test.each([
  { what: "an object without identity", change: { object: {} } },
  { what: "a Secret of another shape", change: { secret: { kind: "text", text: 7 } } },
  { what: "a trouble that does not exist", change: { secret: { kind: "trouble", code: "toString" } } },
])("a file with $what is damaged", ({ change }) => {
  const documents = [{ ...objectText(plainSpec), ...change }];
  stored().write(new Map());
  const sources = [["crd bastion", { documents, withheld: [] }]];
  writeFileSync(join(state, "policies.json"), JSON.stringify({ version: 1, sources }));
  expect(() => stored().read()).toThrow("damaged");
});

test("a file of another version is none", () => {
  stored().write(kept);
  const text = readFileSync(join(state, "policies.json"), "utf8");
  writeFileSync(join(state, "policies.json"), text.replace('"version":1', '"version":2'));
  expect(stored().read()).toEqual(new Map());
});

function odd(change: object, withheld: readonly unknown[] = []): object {
  return { documents: [{ ...document, ...change }], withheld };
}
