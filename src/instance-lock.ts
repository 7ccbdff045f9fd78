import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * One agent per network namespace: an exclusive flock(2) on a file in the state directory that is named after the inode
 * of this process's network namespace. Node has no flock; the `flock` program of util-linux holds it for us, and lets go
 * when its standard input ends, so a killed agent never leaves it behind and the next one takes over at once.
 */
export class InstanceLock {
  private readonly stateDir: string;
  private holder: ChildProcess | undefined;

  constructor(stateDir: string) {
    this.stateDir = stateDir;
  }

  /**
   * Resolves when this process is the only agent. `waiting` is called once with who holds the lock if it has to wait.
   * Rejects when the file cannot be made or the `flock` program is missing.
   */
  async acquire(waiting: (holder: string) => void): Promise<void> {
    const path = await this.path();
    if (await this.hold(path, ["--nonblock"])) return this.sign(path);
    waiting((await readFile(path, "utf8")).trim() || "another agent");
    if (!(await this.hold(path, []))) throw new Error(`the lock ${path} could not be taken: is flock(1) installed?`);
    await this.sign(path);
  }

  /** Lets go, or stops waiting; idempotent. */
  release(): void {
    this.holder?.kill();
    this.holder = undefined;
  }

  private async path(): Promise<string> {
    await mkdir(this.stateDir, { recursive: true, mode: 0o700 });
    const inode = /\d+/.exec(await readlink("/proc/self/ns/net"))?.[0] ?? "unknown";
    return join(this.stateDir, `agent-${inode}.lock`);
  }

  /** Who holds it, for people: on a full disk it stays unsaid, for that must not keep the ports open. */
  private async sign(path: string): Promise<void> {
    await writeFile(path, `agent with pid ${process.pid}\n`).catch(() => undefined);
  }

  private hold(path: string, how: readonly string[]): Promise<boolean> {
    const script = "echo held; exec cat >/dev/null";
    const holder = spawn("flock", [...how, "--no-fork", path, "sh", "-c", script], {
      stdio: ["pipe", "pipe", "ignore"],
      detached: true, // a Ctrl-C at the terminal is for the agent, which lets go when it has drained
    });
    this.holder = holder;
    return new Promise((resolve, reject) => {
      holder.once("error", (error) => reject(new Error("flock(1) is missing: install util-linux", { cause: error })));
      holder.once("exit", () => resolve(false));
      holder.stdout.once("data", () => {
        holder.unref();
        resolve(true);
      });
    });
  }
}
