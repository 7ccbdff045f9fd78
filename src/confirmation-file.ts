import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Moment } from "./moment.ts";
import { writeStateFile } from "./state-file.ts";

/** The last question or answer: for what, and since when it is asked, or whether somebody confirmed in time. */
export type KeptConfirmation = { readonly fingerprint: string } & (
  | { readonly state: "confirmed" | "lapsed" }
  | { readonly state: "asked"; readonly since: Moment }
);

/** Where the last question or answer outlives the agent. */
export interface ConfirmationKeeper {
  /** Undefined where there is none. Throws when it cannot be read. */
  read(): KeptConfirmation | undefined;
  write(kept: KeptConfirmation): void;
  forget(): void;
}

/** The name of the file in the state directory. */
export const confirmationFileName = "confirmation.json";

/** It as a file of the state directory; one that is damaged is none. */
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
    const kept: unknown = JSON.parse(text);
    if (!isKept(kept)) throw new Error(`${confirmationFileName} is damaged`);
    return kept;
  }

  forget(): void {
    rmSync(join(this.directory, confirmationFileName), { force: true });
  }

  write(kept: KeptConfirmation): void {
    writeStateFile(this.directory, confirmationFileName, `${JSON.stringify(kept)}\n`);
  }
}

function isKept(value: unknown): value is KeptConfirmation {
  const { fingerprint, state, since } = (value ?? {}) as { fingerprint?: unknown; state?: unknown; since?: unknown };
  if (typeof fingerprint !== "string") return false;
  return state === "confirmed" || state === "lapsed" || (state === "asked" && isMoment(since));
}

function isMoment(value: unknown): value is Moment {
  const { boot, atMicros, wallMicros } = (value ?? {}) as Partial<Moment>;
  return typeof boot === "string" && Number.isFinite(atMicros) && Number.isFinite(wallMicros);
}
