import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";

/** A text, or the sentence that says why it is not read and what to do. */
export type PrivateFile = { readonly text: string } | { readonly refused: string };

/** Larger files are not what they are taken for. */
const mostBytes = 1 << 20;

/**
 * Reads a file that holds secrets of whoever calls: a regular file that belongs to them (or to root) and that nobody else may read
 * or write. A symbolic link in its place has to be theirs too. What is judged is the file that was opened, so that it cannot be
 * exchanged in between.
 */
export async function readPrivateFile(path: string, uid = process.geteuid?.() ?? 0): Promise<PrivateFile> {
  let file: FileHandle | undefined;
  try {
    const link = await lstat(path);
    if (link.isSymbolicLink() && !isOwn(link.uid, uid))
      return { refused: `${path} is a symbolic link of another user: remove it, and put the file itself there.` };
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { uid: owner, mode, size } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG)
      return { refused: `${path} is not a file: name another path.` };
    if (!isOwn(owner, uid))
      return { refused: `${path} belongs to another user: write one of your own, or name it with --profiles.` };
    if ((mode & 0o077) !== 0)
      return { refused: `${path} may be used by others (mode ${octal(mode)}): run \`chmod 600 ${path}\`.` };
    if (size > mostBytes) return { refused: `${path} is larger than 1 MiB: name another path.` };
    return { text: await file.readFile("utf8") };
  } catch (error) {
    return { refused: refusalOf(path, error) };
  } finally {
    await file?.close();
  }
}

function isOwn(owner: number, uid: number): boolean {
  return owner === uid || owner === 0;
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}

function refusalOf(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return `${path} does not exist: write it, or name another with --profiles.`;
  return `${path} cannot be read (${code}): see who it belongs to with \`ls -l\`.`;
}
