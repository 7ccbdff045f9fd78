import { readFileSync } from "node:fs";

/** What a process has used of the machine. */
export interface ProcessUsage {
  /** Of processor time, user and system, since it began. */
  readonly cpuSeconds: number;
  /** Resident now, and the most so far. */
  readonly residentMiB: number;
  readonly peakMiB: number;
}

/** The clock of /proc/PID/stat, USER_HZ: 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** Reads a process's usage (proc(5)); throws when it has ended. */
export function processUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name may hold spaces; the third field comes next
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentMiB: kib("VmRSS") / 1024,
    peakMiB: kib("VmHWM") / 1024,
  };
}

/** The child of a process whose command line holds a word; throws when there is none. */
export function childOf(pid: number, word: string): number {
  const [found] = childrenOf(pid, word);
  if (found === undefined) throw new Error(`process ${pid} has no child ${word}`);
  return found;
}

/** All of them. */
export function childrenOf(pid: number, word: string): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
  return children.filter((child) => child !== "" && commandOf(child).includes(word)).map(Number);
}

/** Empty where the process has just gone. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
