import { writeStateFile } from "../state-file.ts";
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
   * Writes the table where it differs from what was last written. Returns why that was not possible: the file from before
   * is still there, and the running gate is unharmed.
   */
  write(spec: GateSpec): string | undefined {
    const text = `# Written by knockgate. Loaded at boot with: nft -f ${bootFileName}\n${renderRuleset(spec)}`;
    if (text === this.#written) return undefined;
    try {
      writeStateFile(this.#directory, bootFileName, text);
      this.#written = text;
      return undefined;
    } catch (error) {
      return `the table could not be kept for the next boot: ${(error as Error).message}`;
    }
  }
}
