import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { type RunResult, runToEnd } from "../netns/running-process.ts";

/** The folder of the chart. */
export const chartFolder = fileURLToPath(new URL("../../helm/knockgate", import.meta.url));
/** Where the release is said to be installed, and its name. */
export const release = { namespace: "bastion", name: "gate" } as const;

/** What is set beside the chart's defaults. */
export type Values = Readonly<Record<string, unknown>>;

/** Any object of the API, as far as tests look into it. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Runs Helm or helm-docs, which `npm run test:chart` has built. */
export function runChartProgram(
  name: "helm" | "helm-docs",
  args: readonly string[],
  input = "",
  own: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  const folder = process.env.KNOCKGATE_CHART_PROGRAMS;
  if (folder === undefined) throw new Error("there is no Helm here: use `npm run test:chart`, which builds it");
  // HELM_*: nothing of the user's own repositories, plug-ins or cache.
  const env = { HELM_CONFIG_HOME: "/nonexistent", HELM_CACHE_HOME: "/nonexistent", HELM_DATA_HOME: "/nonexistent" };
  return runToEnd(join(folder, name), args, { input, env: { ...env, ...own } });
}

function template(values: Values, namespace: string = release.namespace): Promise<RunResult> {
  return runChartProgram(
    "helm",
    ["template", release.name, chartFolder, "--namespace", namespace, "-f", "-"],
    JSON.stringify(values),
  );
}

/** All objects of the chart with these values, hooks among them. */
export async function render(values: Values = {}, namespace?: string): Promise<readonly Rendered[]> {
  const { code, stdout, stderr } = await template(values, namespace);
  if (code !== 0) throw new Error(stderr);
  const objects = parseAllDocuments(stdout).map((document) => document.toJS({ maxAliasCount: 0 }) as Rendered | null);
  return objects.filter((object) => object !== null);
}

/** What Helm says to values that it refuses; rejects when it takes them. */
export async function refusal(values: Values): Promise<string> {
  const { code, stderr } = await template(values);
  if (code === 0) throw new Error("the values were taken");
  return stderr;
}

/** What is printed after the installation. */
export async function notes(values: Values = {}): Promise<string> {
  const args = ["install", release.name, chartFolder, "--namespace", release.namespace, "--dry-run=client", "-f", "-"];
  const { code, stdout, stderr } = await runChartProgram("helm", args, JSON.stringify(values));
  if (code !== 0) throw new Error(stderr);
  return stdout.slice(stdout.indexOf("\nNOTES:"));
}

/** The one object of a kind (and a name); undefined where there is none. */
export function find(objects: readonly Rendered[], kind: string, name?: string): Rendered | undefined {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length > 1)
    throw new Error(`${kind} ${name ?? ""}: ${found.map(({ metadata }) => metadata.name).join(", ")}`);
  return found[0];
}

/** The shapes of `ci/`, by name. */
export const shapes: Readonly<Record<string, Values>> = Object.fromEntries(
  readdirSync(join(chartFolder, "ci")).map((file) => [
    file.replace("-values.yaml", ""),
    (parse(readFileSync(join(chartFolder, "ci", file), "utf8")) as Values | null) ?? {},
  ]),
);

/** The spec of that object, as the test knows it; throws where there is none. */
export function specOf<Spec>(objects: readonly Rendered[], kind: string, name?: string): Spec {
  const found = find(objects, kind, name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name ?? ""}`);
  return found.spec as Spec;
}
