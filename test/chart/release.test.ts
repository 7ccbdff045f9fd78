import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { chartFolder, find, render, runChartProgram, shapes, type Values } from "./chart.ts";

const text = (path: string) => readFileSync(join(chartFolder, path), "utf8");
const chart = parse(text("Chart.yaml")) as { readonly version: string; readonly appVersion: string };
const program = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
const earlier = new URL("../fixture/chart-values/", import.meta.url);

test.each(Object.keys(shapes))("helm lint --strict has nothing to say about the shape %s", async (name) => {
  const args = ["lint", "--strict", chartFolder, "-f", join(chartFolder, "ci", `${name}-values.yaml`)];
  const { code, stdout, stderr } = await runChartProgram("helm", args);
  expect([code, stdout + stderr]).toEqual([0, expect.stringContaining("0 chart(s) failed")]);
});

test("the chart's program is this one, and its version stands in its changelog", () => {
  expect(chart.appVersion).toBe(program.version);
  expect(text("CHANGELOG.md")).toContain(`## [${chart.version}]`);
});

test("the README is what helm-docs makes of the values", async () => {
  const args = ["--chart-search-root", chartFolder, "--sort-values-order", "file", "--dry-run", "--log-level", "error"];
  const { stdout } = await runChartProgram("helm-docs", args);
  expect(stdout.trim(), "run `npm run generate:chart`").toBe(text("README.md").trim());
});

test("every value is in the schema, and everything in the schema is a value", () => {
  const schema = JSON.parse(text("values.schema.json")) as { readonly properties: Readonly<Record<string, Schema>> };
  expect(paths(schema)).toEqual(keys(parse(text("values.yaml"))));
});

test("the CRDs stay when the chart goes, and only those that are wanted come", async () => {
  const crds = (await render()).filter(({ kind }) => kind === "CustomResourceDefinition");
  expect(crds.map(({ metadata }) => metadata.name)).toEqual([
    "knocksequences.knockgate.io",
    "knocknodes.knockgate.io",
    "knockgrants.knockgate.io",
  ]);
  for (const { metadata } of crds) expect(metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
  expect(find(await render({ crds: { install: false } }), "CustomResourceDefinition")).toBeUndefined();
});

/** The complete values of each version that was released: what somebody who copied the file has in his own. */
test.each(readdirSync(earlier))("values of the chart %s are still taken, and mean the same", async (file) => {
  const values = parse(readFileSync(new URL(file, earlier), "utf8")) as Values;
  const kinds = (objects: Awaited<ReturnType<typeof render>>) =>
    objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
  const [before, now] = [await render(values), await render()];
  expect(kinds(before)).toEqual(kinds(now));
  expect(find(before, "DaemonSet", "gate-knockgate")).toEqual(find(now, "DaemonSet", "gate-knockgate"));
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** `image.tag`, for all that the schema knows one by one. */
function paths({ properties }: Schema, prefix = ""): readonly string[] {
  const all = Object.entries(properties ?? {}).flatMap(([name, field]) =>
    field.properties === undefined || foreign.has(`${prefix}${name}`)
      ? [`${prefix}${name}`]
      : paths(field, `${prefix}${name}.`),
  );
  return all.sort();
}

/** Values that are parts of objects of Kubernetes, and not described here one by one. */
const foreign = new Set(["updateStrategy", "resources"]);

function keys(values: unknown, prefix = ""): readonly string[] {
  const all = Object.entries(values as object).flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    const isOpen = typeof value !== "object" || value === null || Array.isArray(value) || opaque.has(path);
    return isOpen || Object.keys(value).length === 0 ? [path] : keys(value, `${path}.`);
  });
  return all.sort();
}

/** Maps with keys of the user's own. */
const opaque = new Set([...foreign, "nodeSelector", "dashboard.labels"]);
