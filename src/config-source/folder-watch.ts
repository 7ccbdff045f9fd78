import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";

/** More folders than this are left to the poll: the kernel's watches are a shared, bounded good (inotify(7)). */
const mostFolders = 128;

/**
 * Watches the entries of folders. The set is brought up to date again and again, because a watch stays with the inode:
 * a folder that was removed and made again needs a new one, and nothing tells when the old one has gone deaf. What
 * cannot be watched is left to the poll of whoever uses this.
 */
export class FolderWatch {
  private readonly touched: () => void;
  /** By device and inode. */
  private readonly watchers = new Map<string, FSWatcher>();
  private closed = false;

  constructor(touched: () => void) {
    this.touched = touched;
  }

  /** Watches exactly these folders from now on. */
  async use(folders: readonly string[]): Promise<void> {
    const wanted = new Map<string, string>();
    for (const folder of folders.slice(0, mostFolders)) {
      const inode = await inodeOf(folder);
      if (inode !== undefined) wanted.set(inode, folder);
    }
    for (const inode of [...this.watchers.keys()]) if (!wanted.has(inode)) this.drop(inode);
    for (const [inode, folder] of wanted) if (!this.closed && !this.watchers.has(inode)) this.add(inode, folder);
  }

  /** Idempotent; nothing is told afterwards. */
  close(): void {
    this.closed = true;
    for (const inode of [...this.watchers.keys()]) this.drop(inode);
  }

  /** How many folders are watched. */
  get size(): number {
    return this.watchers.size;
  }

  private add(inode: string, folder: string): void {
    const watcher = tryWatch(folder);
    if (watcher === undefined) return;
    watcher.on("change", () => this.touched());
    watcher.on("error", () => {
      this.drop(inode);
      this.touched();
    });
    this.watchers.set(inode, watcher);
  }

  private drop(inode: string): void {
    this.watchers.get(inode)?.close();
    this.watchers.delete(inode);
  }
}

/** Undefined where the kernel refuses: the folder has gone, or there are no watches left. */
function tryWatch(folder: string): FSWatcher | undefined {
  try {
    return watch(folder, { persistent: false });
  } catch {
    return undefined;
  }
}

async function inodeOf(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(folder, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
