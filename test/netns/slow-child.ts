import { cpSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a capture child does at its start: what it should, end with code 3, or wait until it is told something else. */
export type ChildManner = "works" | "crashes" | "waits";

/** The program of this checkout, compiled, in a copy whose capture children start as they are told. */
export class SlowChild {
  /** For AgentProcess. */
  readonly program: string;
  readonly #mannerFile: string;

  constructor(folder: string) {
    const checkout = fileURLToPath(new URL("../..", import.meta.url));
    const copy = join(folder, "program");
    mkdirSync(copy);
    for (const name of ["dist", "package.json"]) cpSync(join(checkout, name), join(copy, name), { recursive: true });
    symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
    this.program = join(copy, "dist/main.js");
    this.#mannerFile = join(copy, "manner");
    this.behave("works");
    const child = join(copy, "dist/capture/capture-child.js");
    if (!existsSync(child)) throw new Error(`there is no ${child}: build first`);
    renameSync(child, join(copy, "dist/capture/true-child.js"));
    writeFileSync(child, script(this.#mannerFile));
  }

  /** From the next child on; one that waits goes on. */
  behave(manner: ChildManner): void {
    writeFileSync(`${this.#mannerFile}.new`, manner);
    renameSync(`${this.#mannerFile}.new`, this.#mannerFile);
  }
}

function script(mannerFile: string): string {
  return `import { readFileSync } from "node:fs";
const manner = () => readFileSync(${JSON.stringify(mannerFile)}, "utf8");
if (manner() === "crashes") process.exit(3);
while (manner() === "waits") await new Promise((resolve) => setTimeout(resolve, 20));
await import("./true-child.js");
`;
}
