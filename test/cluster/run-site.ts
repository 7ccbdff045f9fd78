import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningProcess } from "../netns/running-process.ts";

/** The first port of three for each control plane of one process: low enough not to be lent to outgoing connections. */
const firstPort = 23_790;
let count = 0;

/**
 * Where one control plane lives: a folder, and an address of 127.0.0.0/8 made from the pid of the process that runs it, so
 * that two runs on one machine never meet.
 */
export class RunSite {
  readonly address: string;
  readonly ports: { readonly api: number; readonly etcd: number; readonly peer: number };
  /** Named as test/netns/leftovers.ts knows it, which removes those of processes that are gone. */
  readonly folder: string;
  /** Where the programs lie. */
  readonly programs: string;
  private readonly started: RunningProcess[] = [];

  constructor(programs: string) {
    const port = firstPort + 3 * count;
    this.programs = programs;
    this.address = addressOf(process.pid);
    this.ports = { api: port, etcd: port + 1, peer: port + 2 };
    this.folder = mkdtempSync(join(tmpdir(), `kg-cluster-${process.pid}-${count++}-`));
  }

  /** Starts a program that the kernel kills when this process is gone, whatever ended it. */
  start(program: string, args: readonly string[]): RunningProcess {
    const started = new RunningProcess("setpriv", ["--pdeathsig", "KILL", join(this.programs, program), ...args]);
    this.started.push(started);
    return started;
  }

  /** Ends what still runs, the last started first, and removes what was written. */
  async remove(): Promise<void> {
    for (const process of this.started.reverse()) await process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A pid has at most 22 bits (PID_MAX_LIMIT). The second byte is 64 and more, where nothing usual listens. */
function addressOf(pid: number): string {
  return `127.${64 | (pid >>> 16)}.${(pid >>> 8) & 255}.${pid & 255}`;
}
