import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeStateFile } from "../state-file.ts";
import type { ConfigDocument } from "./config-source.ts";
import type { KeptBySource, KeptSnapshot, SnapshotStore } from "./kept-snapshots.ts";

/** The name of the file in the state directory. */
export const snapshotFileName = "policies.json";

/** Another one is read as none: its documents may mean something else. */
const version = 1;

/**
 * Kept snapshots as a file of the state directory, of root alone: sequences are in it, as they are in the files they come
 * from.
 */
export class SnapshotFile implements SnapshotStore {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  read(): KeptBySource {
    let text: string;
    try {
      text = readFileSync(join(this.directory, snapshotFileName), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
      throw error;
    }
    const kept = keptOf(text);
    if (kept === undefined) throw new Error(`${snapshotFileName} is damaged`);
    return kept;
  }

  write(kept: KeptBySource): void {
    writeStateFile(this.directory, snapshotFileName, `${JSON.stringify({ version, sources: [...kept] })}\n`);
  }
}

/** What a file says; undefined where it is not one of ours. */
function keptOf(text: string): KeptBySource | undefined {
  try {
    const { version: found, sources } = JSON.parse(text) as { version?: unknown; sources?: unknown };
    if (found !== version) return new Map();
    const entries = sources as readonly (readonly [unknown, unknown])[];
    return entries.every(([name, snapshot]) => typeof name === "string" && isSnapshot(snapshot))
      ? new Map(entries as readonly (readonly [string, KeptSnapshot])[])
      : undefined;
  } catch {
    return undefined; // no JSON, or not of this shape: the caller says so
  }
}

function isSnapshot(value: unknown): value is KeptSnapshot {
  const { documents, withheld } = value as Partial<KeptSnapshot>;
  return (
    Array.isArray(documents) &&
    documents.every(isDocument) &&
    Array.isArray(withheld) &&
    withheld.every((name) => typeof name === "string")
  );
}

function isDocument(value: unknown): value is ConfigDocument {
  const { origin, format, text, oneTimeFiles = {} } = value as Partial<ConfigDocument>;
  const isKnown = format === "yaml" || format === "knockd-conf";
  const texts: readonly unknown[] = [origin, text, ...Object.values(oneTimeFiles)];
  return isKnown && texts.every((one) => typeof one === "string");
}
