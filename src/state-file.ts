import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes a file of the state directory, which is made where it is missing: a new file, synced, then renamed over the old one,
 * mode 0600, so that whoever reads it finds the old text or the new one. Throws what the file system says; the old file is
 * still there then, and nothing of the new one.
 */
export function writeStateFile(directory: string, name: string, text: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, name);
  writeSynced(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } catch (error) {
    rmSync(path); // half a file is of no use, and takes room where there is none
    throw error;
  } finally {
    closeSync(file);
  }
}
