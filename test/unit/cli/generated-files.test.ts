import { describe, expect, test } from "vitest";
import { generatedFiles } from "../../../src/cli/generated-files.ts";
import { logEvents } from "../../../src/observability/log-events.ts";
import { type MetricSpec, metricTable } from "../../../src/observability/metric-table.ts";
import { type OptionSpec, optionTable, variableOf } from "../../../src/option-table.ts";

const files = generatedFiles();
const pages = Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith("docs/")));

describe("the reference pages", () => {
  test.each(Object.entries(pages))("%s has a title and ends with one line feed", (path, text) => {
    expect(path).toMatch(/^docs\/reference\/[a-z-]+\.md$/);
    expect(text).toMatch(/^# [A-Z]/);
    expect(text).toMatch(/[^\n]\n$/);
  });

  test("name every metric, event and option", () => {
    for (const { name } of Object.values<MetricSpec>(metricTable))
      expect(pages["docs/reference/metrics.md"]).toContain(`## ${name}\n`);
    for (const name of Object.keys(logEvents)) expect(pages["docs/reference/events.md"]).toContain(`| \`${name}\` |`);
    for (const spec of Object.values<OptionSpec>(optionTable)) {
      expect(pages["docs/reference/options.md"]).toContain(`\`${variableOf(spec)}\``);
    }
  });

  test("show every command with its example", () => {
    for (const name of ["agent", "knock", "watch", "check", "ruleset", "replay", "hunt", "grants", "revoke", "cleanup"])
      expect(pages["docs/reference/commands.md"]).toMatch(
        new RegExp(`## knockgate ${name}\n[^]*?Examples?:\n {2}knockgate ${name}`),
      );
  });

  test("are the same each time", () => {
    expect(generatedFiles()).toEqual(files);
  });
});
