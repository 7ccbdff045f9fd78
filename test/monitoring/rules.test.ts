import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runToEnd } from "../netns/running-process.ts";
import { alertRules, alertsFile } from "./alert-rules.ts";

interface RuleTest {
  readonly name: string;
}

const folder = fileURLToPath(new URL("rules/", import.meta.url));
const files = readdirSync(folder).map((name) => ({ name, file: join(folder, name) }));

test("promtool finds nothing wrong with the alerts", async () => {
  const { code, stdout, stderr } = await runToEnd("promtool", ["check", "rules", alertsFile]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain(`SUCCESS: ${alertRules().length} rules found`);
});

describe("promtool plays the alerts", () => {
  test.each(files)("$name, each as its test says", async ({ file }) => {
    const { code, stdout, stderr } = await runToEnd("promtool", ["test", "rules", file]);
    expect(code, stdout + stderr).toBe(0);
  });

  test("each is played firing and quiet", () => {
    const played = files.flatMap(({ file }) => (parse(readFileSync(file, "utf8")) as { tests: RuleTest[] }).tests);
    const names = played.map(({ name }) => name);
    for (const { alert } of alertRules()) {
      expect(names.some((name) => name.startsWith(`${alert} fires, `))).toBe(true);
      expect(names.some((name) => name.startsWith(`${alert} is quiet, `))).toBe(true);
    }
  });
});
