import { accessSync, closeSync, constants, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { RunningProcess } from "./running-process.ts";
import type { World } from "./world.ts";

/** Of the first network namespace: whether the firewalls of others may write to the kernel's log (nf_log, Linux 4.9). */
const setting = "/proc/sys/net/netfilter/nf_log_all_netns";

/** One run at a time sets it, and it is put back when the standard input ends, which it does also when the test is killed. */
const holding = `exec 9>/tmp/knockgate-kernel-log.lock; flock 9
before=$(cat ${setting}); trap 'echo "$before" > ${setting}' EXIT; trap '' TERM INT
echo 1 > ${setting} && echo logging; cat`;

/** Why firewalls of namespaces cannot log here; undefined where they can. */
export function kernelLogObstacle(): string | undefined {
  try {
    accessSync(setting, constants.W_OK);
    return undefined;
  } catch {
    return `the right to set net.netfilter.nf_log_all_netns in the first network namespace`;
  }
}

/** The kernel's log, written to a file from now on, as a syslog daemon does. */
export class KernelLog {
  readonly path: string;
  private readonly holder: RunningProcess;
  private writer: RunningProcess | undefined;

  private constructor(path: string, holder: RunningProcess) {
    this.path = path;
    this.holder = holder;
  }

  static async start(world: World): Promise<KernelLog> {
    const holder = new RunningProcess("sh", ["-c", holding]);
    await holder.waitForLine("logging", { timeoutMs: 60_000 });
    const log = new KernelLog(join(world.folder, "kern.log"), holder);
    log.write();
    return log;
  }

  /** Gives the file another name and begins a new one, as logrotate(8) and a daemon that is told of it. */
  async rotate(): Promise<void> {
    renameSync(this.path, `${this.path}.1`);
    const before = this.writer;
    this.write();
    await before?.stop();
  }

  /** Ends the writing and puts the setting back. */
  async stop(): Promise<void> {
    await this.writer?.stop();
    this.holder.endInput();
    await this.holder.ended;
  }

  private write(): void {
    closeSync(openSync(this.path, "a"));
    const command = `exec dmesg --follow-new --kernel --decode >> "$0"`;
    this.writer = new RunningProcess("sh", ["-c", command, this.path]);
  }
}
