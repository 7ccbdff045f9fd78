import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ObjectText, WrittenText } from "../policy/document.ts";
import { isProblemCode } from "../policy/problem-catalogue.ts";
import type { SecretSteps } from "../policy/secret-steps.ts";
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
  private readonly keepsSecrets: boolean;

  /** Without `keepsSecrets` what was read from Secrets stays out of the file. */
  constructor(directory: string, options: { readonly keepsSecrets: boolean }) {
    this.directory = directory;
    this.keepsSecrets = options.keepsSecrets;
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
    const sources = this.keepsSecrets ? [...kept] : [...kept].map(([source, own]) => [source, withoutSecrets(own)]);
    writeStateFile(this.directory, snapshotFileName, `${JSON.stringify({ version, sources })}\n`);
  }
}

function withoutSecrets(snapshot: KeptSnapshot): KeptSnapshot {
  const documents = snapshot.documents.map((document): ConfigDocument => {
    if (document.format !== "object" || document.secret === undefined) return document;
    return { ...document, secret: { kind: "trouble", code: "secret-not-kept" } };
  });
  return { ...snapshot, documents };
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
  const document = value as Partial<WrittenText> | Partial<ObjectText>;
  if (typeof document.origin !== "string") return false;
  if (document.format === "object") return typeof document.object?.uid === "string" && isSecret(document.secret);
  const { format, text, oneTimeFiles = {} } = document as Partial<WrittenText>;
  const texts: readonly unknown[] = [text, ...Object.values(oneTimeFiles)];
  return (format === "yaml" || format === "knockd-conf") && texts.every((one) => typeof one === "string");
}

function isSecret(secret: SecretSteps | undefined): boolean {
  if (secret === undefined) return true;
  return secret.kind === "text" ? typeof secret.text === "string" : isProblemCode(secret.code);
}
