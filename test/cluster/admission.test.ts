import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkCommand } from "../../src/cli/check.ts";
import { knockSequenceSchema } from "../../src/policy/schema.ts";
import { MemoryIo } from "../fake/memory-io.ts";
import { differences, refusals } from "../fixture/manifests/verdicts.ts";
import { apply } from "./manifests.ts";
import { sharedCluster } from "./shared-cluster.ts";

const manifests = new URL("../fixture/manifests/", import.meta.url).pathname;
const examples = new URL("../../deploy/examples/", import.meta.url).pathname;
const cluster = sharedCluster();

/** The manifests directly in a folder, without their ending. */
function names(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((file) => (file.endsWith(".yaml") ? file.slice(0, -".yaml".length) : []));
}

/** What kubectl says of a manifest, which is not kept: its refusal, or undefined when the API server accepts it. */
async function refusalOf(file: string): Promise<string | undefined> {
  const { code, stderr } = await cluster.kubectl(["create", "--dry-run=server", "--validate=strict", "-f", file]);
  return code === 0 ? undefined : stderr;
}

/** Code and field of every error that check finds in a file. */
async function problemsOf(file: string): Promise<readonly string[]> {
  const io = new MemoryIo();
  await checkCommand({ paths: [file], output: "json" }, io);
  const rows: readonly { severity: string; code: string; field: string }[] = JSON.parse(io.out);
  return rows.filter(({ severity }) => severity === "error").map(({ code, field }) => `${code} ${field}`);
}

describe("what both accept", () => {
  test.each(names(join(manifests, "good")))("%s", async (name) => {
    const file = join(manifests, "good", `${name}.yaml`);
    expect(await refusalOf(file)).toBeUndefined();
    expect(await problemsOf(file)).toEqual([]);
  });

  test("the examples, in the namespaces that they name", async () => {
    for (const namespace of ["bastion", "examples"])
      await apply(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    for (const name of names(examples)) expect(await refusalOf(join(examples, `${name}.yaml`)), name).toBeUndefined();
  });

  test.each(names(join(manifests, "good")))("%s has the same defaults filled in", async (name) => {
    const file = join(manifests, "good", `${name}.yaml`);
    const written = await cluster.expect(["create", "--dry-run=server", "-f", file, "-o", "json"]);
    expect(JSON.parse(written).spec).toEqual(knockSequenceSchema.parse(parse(readFileSync(file, "utf8"))).spec);
  });
});

describe("what both refuse", () => {
  test("every manifest has its verdict", () => {
    expect(Object.keys(refusals).sort()).toEqual(names(join(manifests, "bad")).toSorted());
  });

  test.each(Object.entries(refusals))("%s", async (name, { api, check }) => {
    const file = join(manifests, "bad", `${name}.yaml`);
    expect(await refusalOf(file)).toContain(api);
    expect(await problemsOf(file)).toEqual(check);
  });
});

describe("what they do not agree on", () => {
  test("every manifest has its reason", () => {
    expect(Object.keys(differences).sort()).toEqual(names(join(manifests, "differ")).toSorted());
  });

  test.each(Object.entries(differences))("%s", async (name, { api, check }) => {
    const file = join(manifests, "differ", `${name}.yaml`);
    const refusal = await refusalOf(file);
    if (api === undefined) expect(refusal).toBeUndefined();
    else expect(refusal).toContain(api);
    expect(await problemsOf(file)).toEqual(check);
    expect(api === undefined).not.toBe(check.length === 0);
  });
});
