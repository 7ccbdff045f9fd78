import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GateSpec } from "./ruleset.ts";
import { renderRuleset } from "./table-plan.ts";

/** The name of the file in the state directory. */
export const bootFileName = "ruleset.nft";

/** Keeps the wanted table as text, so that a boot unit can close the ports before the network is up: `nft -f FILE`. */
export class BootFile {
  readonly #directory: string;
  #written: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Writes the table where it differs from what was last written: a new file, synced, then renamed over the old one, mode
   * 0600. Returns why that was not possible: the file from before is still there, and the running gate is unharmed.
   */
  write(spec: GateSpec): string | undefined {
    const text = `# Written by knockgate. Loaded at boot with: nft -f ${bootFileName}\n${renderRuleset(spec)}`;
    if (text === this.#written) return undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const path = join(this.#directory, bootFileName);
      writeSynced(`${path}.new`, text);
      renameSync(`${path}.new`, path);
      this.#written = text;
      return undefined;
    } catch (error) {
      return `the table could not be kept for the next boot: ${(error as Error).message}`;
    }
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } catch (error) {
    rmSync(path); // half a table is of no use, and takes room where there is none
    throw error;
  } finally {
    closeSync(file);
  }
}
