import { readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../netns/host.ts";
import { programPath } from "../netns/host.ts";
import { RunningProcess } from "../netns/running-process.ts";

const controlGroups = "/sys/fs/cgroup";

/** A host of a test as a machine for a kubelet: whatever runs here ends with it, and it ends with this process. */
export class NodeMachine {
  /** Holds the logs of its programs, one file each, and what they write. */
  readonly folder: string;
  /** The control group of its pods, below the root of each hierarchy. */
  readonly controlGroup: string;
  private readonly shell: RunningProcess;

  private constructor(shell: RunningProcess, folder: string) {
    this.shell = shell;
    this.folder = folder;
    this.controlGroup = `kg-node-${process.pid}`;
  }

  /** Resolves when commands can be started. */
  static async start(host: Host, folder: string): Promise<NodeMachine> {
    // Not `ip netns exec`: it hides the control groups.
    const program = programPath("../node/node-machine.sh");
    const shell = new RunningProcess("nsenter", [`--net=/run/netns/${host.namespace}`, "sh", program, folder]);
    await shell.waitForLine("machine is up");
    return new NodeMachine(shell, folder);
  }

  /** Starts a program that runs until the machine ends; its output goes to `NAME.log`. */
  run(name: string, program: string, args: readonly string[]): void {
    const words = [program, ...args].map((word) => `'${word}'`).join(" ");
    this.shell.write(`exec ${words} >'${join(this.folder, name)}.log' 2>&1\n`);
  }

  /** Ends everything and removes the control groups, which outlive their processes. */
  async stop(): Promise<void> {
    this.shell.endInput();
    await this.shell.ended;
    for (const hierarchy of ["", ...readdirSync(controlGroups)]) {
      removeControlGroup(join(controlGroups, hierarchy, this.controlGroup));
    }
  }
}

function removeControlGroup(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeControlGroup(join(path, entry.name));
    }
    rmdirSync(path);
  } catch (error) {
    // Hierarchies that pods had no group in, and those that are links to others.
    if (!["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
