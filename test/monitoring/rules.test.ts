import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runToEnd } from "../netns/running-process.ts";
import { alertGroups, alertRules, alertsFile } from "./alert-rules.ts";

interface RuleTest {
  readonly name: string;
}

const files = alertGroups().map(({ name }) => ({
  group: name,
  file: fileURLToPath(new URL(`rules/${name.replace("knockgate-", "")}.yaml`, import.meta.url)),
}));

test("promtool finds nothing wrong with the alerts", async () => {
  const { code, stdout, stderr } = await runToEnd("promtool", ["check", "rules", alertsFile]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain(`SUCCESS: ${alertRules().length} rules found`);
});

describe("promtool plays the alerts", () => {
  test.each(files)("$group, each as its test says", async ({ file }) => {
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
