import { mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changedProgram } from "./changed-program.ts";

/** What a capture child does at its start: what it should, end with code 3, or wait until it is told something else. */
export type ChildManner = "works" | "crashes" | "waits";

/** The program of this checkout, compiled, in a copy whose capture children start as they are told. */
export class SlowChild {
  /** For AgentProcess. */
  readonly program: string;
  readonly #mannerFile: string;

  constructor(folder: string) {
    const own = mkdtempSync(join(folder, "slow-child-"));
    this.#mannerFile = join(own, "manner");
    this.behave("works");
    this.program = changedProgram(own, { "capture/capture-child.js": script(this.#mannerFile) });
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
await import("./true-capture-child.js");
`;
}
