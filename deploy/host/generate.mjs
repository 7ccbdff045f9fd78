// Writes the generated files into the checkout, or with --check names those that are not current. Needs a build.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("../../", import.meta.url));
const { generatedFiles } = await import(new URL("../../dist/cli/generated-files.js", import.meta.url));

const stale = [];
for (const [path, text] of Object.entries(await generatedFiles())) {
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
