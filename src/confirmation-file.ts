import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeStateFile } from "./state-file.ts";

/** The last answer: for what, and whether somebody gave it in time. */
export interface KeptConfirmation {
  readonly fingerprint: string;
  readonly state: "confirmed" | "lapsed";
}

/** Where the last answer outlives the agent. */
export interface ConfirmationKeeper {
  /** Undefined where there is none. Throws when it cannot be read. */
  read(): KeptConfirmation | undefined;
  write(kept: KeptConfirmation): void;
  forget(): void;
}

/** The name of the file in the state directory. */
export const confirmationFileName = "confirmation.json";

/** The answer as a file of the state directory; one that is damaged is none. */
export class ConfirmationFile implements ConfirmationKeeper {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  read(): KeptConfirmation | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.directory, confirmationFileName), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const { fingerprint, state } = JSON.parse(text) as Partial<KeptConfirmation>;
    if (typeof fingerprint !== "string" || (state !== "confirmed" && state !== "lapsed"))
      throw new Error(`${confirmationFileName} is damaged`);
    return { fingerprint, state };
  }

  forget(): void {
    rmSync(join(this.directory, confirmationFileName), { force: true });
  }

  write(kept: KeptConfirmation): void {
    writeStateFile(this.directory, confirmationFileName, `${JSON.stringify(kept)}\n`);
  }
}
