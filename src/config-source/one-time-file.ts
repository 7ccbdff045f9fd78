/**
 * Spends lines of one-time files. A line may be used once, whoever reads the file: two agents on one file system, or one that
 * crashes on the way. Therefore
 *
 * 1. the claim: a file beside it, named after the line, is made with O_EXCL (open(2)). Of all that try, one succeeds;
 * 2. under the claim the file is read. Is the line not there any more as it was, somebody has spent it before: taken;
 * 3. the file is written anew with `#` before the line, synced, and renamed over the old one: readers see the old text or the new;
 * 4. the claim is removed.
 *
 * After 4 the line is marked for whoever reads the file under a claim of its own, so it cannot be spent again. A crash
 * between 1 and 4 leaves a claim; who finds one that is ten seconds old finishes the work (2 to 4) and still gets `taken`: a line
 * is rather lost than used twice. All lines before the one that counts are marked already, so two agents never write for different lines at once.
 */
import { isUtf8 } from "node:buffer";
import {
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { markOneTimeLine } from "../policy/one-time.ts";
import type { OneTimeLine } from "../policy/policy.ts";

/** How it went. Only who gets `spent` may open the door. */
export type Spending =
  | { readonly kind: "spent" }
  | { readonly kind: "taken" }
  | { readonly kind: "failed"; readonly reason: string };

/** A claim that is older was left by somebody who is gone. */
const staleMicros = 10e6;

/**
 * Marks a line as used. It is a rare event, so the file is written at once, and nothing of this agent comes between. Never
 * throws.
 */
export function spendOneTimeLine(line: OneTimeLine, nowWallMicros: number): Spending {
  const claim = `${line.file}.line-${line.line}`;
  try {
    const isOurs = tryClaim(claim);
    if (!isOurs && nowWallMicros - statSync(claim).mtimeMs * 1000 < staleMicros) return { kind: "taken" };
    const isMarked = mark(line);
    rmSync(claim, { force: true });
    return isOurs && isMarked ? { kind: "spent" } : { kind: "taken" };
  } catch (error) {
    return { kind: "failed", reason: `${line.file} cannot be marked: ${(error as Error).message}` };
  }
}

function tryClaim(claim: string): boolean {
  try {
    closeSync(openSync(claim, "wx", 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Whether it was not marked before. The new file has the mode and the owner of the old one. */
function mark({ file, line, text }: OneTimeLine): boolean {
  const bytes = readFileSync(file);
  const encoding = isUtf8(bytes) ? "utf8" : "latin1";
  const marked = markOneTimeLine(bytes.toString(encoding), line, text);
  if (marked === undefined) return false;
  const { mode, uid, gid } = statSync(file);
  const fresh = `${file}.new-${process.pid}`;
  const descriptor = openSync(fresh, "w", mode & 0o777);
  try {
    writeFileSync(descriptor, marked, encoding);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  chownSync(fresh, uid, gid);
  renameSync(fresh, file);
  return true;
}
