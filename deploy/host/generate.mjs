// Writes the generated files into the checkout, or with --check names those that are not current. Needs a build.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("../../", import.meta.url));
const { generatedFiles, policySchema } = await import(new URL("../../dist/cli/generated-files.js", import.meta.url));

/** What the chart has of other files: a chart is packed by itself, and finds nothing outside its own folder. */
async function chartFiles(generated) {
  const valuesSchema = "helm/knockgate/values.schema.json";
  const schema = JSON.parse(await readFile(join(checkout, valuesSchema), "utf8"));
  schema.$defs.sequence = policySchema();
  const textOf = (path) => readFile(join(checkout, path), "utf8");
  return {
    "helm/knockgate/files/admission.yaml": await textOf("deploy/admission.yaml"),
    "helm/knockgate/files/crd.yaml": generated["deploy/crd.yaml"],
    "helm/knockgate/files/knockgate-boot.service": await textOf("deploy/systemd/knockgate-boot.service"),
    [valuesSchema]: `${JSON.stringify(schema, undefined, 2)}\n`,
  };
}

const generated = generatedFiles();
const stale = [];
for (const [path, text] of Object.entries({ ...generated, ...(await chartFiles(generated)) })) {
  const file = join(checkout, path);
  const current = await readFile(file, "utf8").catch(() => undefined);
  if (current === text) continue;
  stale.push(path);
  if (!process.argv.includes("--check")) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    console.log(`wrote ${path}`);
  }
}

if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`not current: ${stale.join(", ")}; run \`npm run generate\``);
  process.exitCode = 1;
}
