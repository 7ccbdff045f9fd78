import { constants, type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock, Timer } from "../clock.ts";
import type { LogFeed, LogReader } from "./log-feed.ts";

/** Where the kernel tells nothing (a network file system, a folder that was made anew) a change shows this late. */
const pollMs = 1000;
const chunkBytes = 64 * 1024;

/** An open file, and how far it was read. */
interface Opened {
  readonly handle: FileHandle;
  /** Device and inode. */
  readonly identity: string;
  at: number;
}

/**
 * A log file, followed from its end. When another file has its name (it was renamed, and a new one made) the old one is read to its
 * end and the new one from its beginning; when it has become shorter (copytruncate) it is read from its beginning. A file that
 * comes later is read from its beginning too.
 */
export class LogFileFeed implements LogFeed {
  readonly name: string;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #buffer = Buffer.alloc(chunkBytes);
  #reader: LogReader | undefined;
  #opened: Opened | undefined;
  #watchers: FSWatcher[] = [];
  #timer: Timer | undefined;
  #trouble: string | undefined;
  #hasTold = false;
  #looking: Promise<void> | undefined;
  #again = false;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.name = `log:${path}`;
  }

  async start(reader: LogReader): Promise<void> {
    this.#reader = reader;
    const opened = await this.#open();
    if (opened !== undefined) opened.at = Number((await opened.handle.stat()).size);
    this.#use(opened);
    await this.#look();
  }

  async close(): Promise<void> {
    this.#reader = undefined;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    await this.#looking;
    await this.#opened?.handle.close();
    this.#opened = undefined;
  }

  /** Reads what there is; once more where something has changed meanwhile. Never rejects. */
  #look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#lookUntilQuiet().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookUntilQuiet(): Promise<void> {
    this.#timer?.cancel();
    while (this.#again && this.#reader !== undefined) {
      this.#again = false;
      try {
        await this.#lookOnce();
      } catch (error) {
        this.#tell(`${this.#path} cannot be read (${codeOf(error)})`);
      }
    }
    if (this.#reader !== undefined) this.#timer = this.#clock.after(pollMs, () => void this.#look());
  }

  async #lookOnce(): Promise<void> {
    const { size, identity } = await this.#named();
    const opened = this.#opened;
    if (opened !== undefined && opened.identity === identity && size !== undefined && size < opened.at) {
      opened.at = 0;
      this.#reader?.broken();
    }
    if (opened !== undefined) await this.#drain(opened);
    if (opened === undefined || opened.identity !== identity) await this.#follow();
  }

  /** Another file has the name, or none has. */
  async #follow(): Promise<void> {
    const next = await this.#open();
    if (next === undefined) return;
    if (this.#opened !== undefined) await this.#drain(this.#opened); // what was written until it lost its name
    await this.#opened?.handle.close();
    this.#reader?.broken();
    this.#use(next);
    await this.#drain(next);
  }

  async #named() {
    const found = await stat(this.#path, { bigint: true }).catch(() => undefined);
    return found === undefined
      ? { size: undefined, identity: undefined }
      : { size: Number(found.size), identity: `${found.dev}:${found.ino}` };
  }

  async #open(): Promise<Opened | undefined> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      const status = await handle.stat({ bigint: true });
      if (status.isFile()) {
        this.#tell(undefined);
        return { handle, identity: `${status.dev}:${status.ino}`, at: 0 };
      }
      this.#tell(`${this.#path} is not a file: pipe it to --capture -`);
    } catch (error) {
      const isGone = codeOf(error) === "ENOENT";
      // Whoever writes the log may go on with the old file until it is told of the rotation.
      if (!isGone || this.#opened === undefined)
        this.#tell(`${this.#path} ${isGone ? "is not there" : `cannot be read (${codeOf(error)})`}`);
    }
    await handle?.close();
    return undefined;
  }

  /** Watches the file for lines, and its folder for another file of its name. */
  #use(opened: Opened | undefined): void {
    this.#opened = opened;
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    const name = basename(this.#path);
    this.#watch(dirname(this.#path), (changed) => changed === name);
    if (opened !== undefined) this.#watch(this.#path, () => true);
  }

  #watch(path: string, concerns: (changed: string | null) => boolean): void {
    try {
      const watcher = watch(path, { persistent: false }, (_, changed) => {
        if (concerns(changed)) void this.#look();
      });
      watcher.on("error", () => watcher.close()); // the poll goes on
      this.#watchers.push(watcher);
    } catch {
      return; // no such folder yet, or no watches left: the poll finds what there is
    }
  }

  async #drain(opened: Opened): Promise<void> {
    for (;;) {
      const { bytesRead } = await opened.handle.read(this.#buffer, 0, chunkBytes, opened.at);
      if (bytesRead === 0 || this.#reader === undefined) return;
      opened.at += bytesRead;
      this.#reader.bytes(this.#buffer.subarray(0, bytesRead));
    }
  }

  #tell(trouble: string | undefined): void {
    if (this.#hasTold && trouble === this.#trouble) return;
    this.#hasTold = true;
    this.#trouble = trouble;
    this.#reader?.state(trouble);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
