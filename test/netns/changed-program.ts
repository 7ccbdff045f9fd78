import { cpSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * A copy of the compiled program in which a test's text stands in the place of some modules, such as `capture/capture-child.js`.
 * Each of them finds the true one beside itself, as `true-capture-child.js`. Returns what to start.
 */
export function changedProgram(folder: string, modules: Readonly<Record<string, string>>): string {
  const checkout = fileURLToPath(new URL("../..", import.meta.url));
  const copy = join(folder, "program");
  mkdirSync(copy);
  for (const name of ["dist", "package.json"]) cpSync(join(checkout, name), join(copy, name), { recursive: true });
  symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
  for (const [name, text] of Object.entries(modules)) {
    const module = join(copy, "dist", name);
    if (!existsSync(module)) throw new Error(`there is no ${module}: build first`);
    renameSync(module, join(dirname(module), `true-${basename(module)}`));
    writeFileSync(module, text);
  }
  return join(copy, "dist/main.js");
}
