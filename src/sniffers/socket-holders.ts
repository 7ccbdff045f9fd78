import { readdir, readFile, readlink } from "node:fs/promises";

/** A process and the inodes of the sockets it holds. */
export interface SocketHolder {
  readonly pid: number;
  /** The file that runs; empty where it cannot be read. */
  readonly executable: string;
  /** As it says itself: a process can write anything here. */
  readonly command: readonly string[];
  readonly uid: number;
  /** Seconds since the epoch. */
  readonly startedSeconds: number;
  readonly inodes: readonly number[];
}

/** Ticks a second in /proc/PID/stat, the same on every Linux (USER_HZ, proc(5)). */
const ticksPerSecond = 100;

/** Every process that holds one of these sockets. Needs root to see those of others; what has ended meanwhile is left out. */
export async function socketHolders(inodes: ReadonlySet<number>, proc = "/proc"): Promise<readonly SocketHolder[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name));
  const bootedAt = Number(/^btime (\d+)$/m.exec(await readFile(`${proc}/stat`, "utf8"))?.[1] ?? 0);
  const holders: SocketHolder[] = [];
  for (const pid of pids) {
    const held = (await socketsOf(`${proc}/${pid}/fd`)).filter((inode) => inodes.has(inode));
    if (held.length === 0) continue;
    const holder = await describe(`${proc}/${pid}`, Number(pid), bootedAt, held);
    if (holder !== undefined) holders.push(holder);
  }
  return holders;
}

async function socketsOf(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []); // ended, or not ours to see
  const links = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => "")));
  return links.flatMap((link) => {
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    return inode === undefined ? [] : [Number(inode)];
  });
}

async function describe(folder: string, pid: number, bootedAt: number, inodes: readonly number[]) {
  const texts = ["stat", "status", "cmdline"].map((name) => readFile(`${folder}/${name}`, "utf8"));
  const [stat, status, line] = await Promise.all(texts).catch(() => []);
  if (stat === undefined || status === undefined || line === undefined) return undefined; // ended meanwhile
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]); // field 22; the name may hold anything
  return {
    pid,
    executable: await readlink(`${folder}/exe`).catch(() => ""),
    command: line.split("\0").filter((word) => word !== ""),
    uid: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -1),
    startedSeconds: bootedAt + ticks / ticksPerSecond,
    inodes,
  };
}
