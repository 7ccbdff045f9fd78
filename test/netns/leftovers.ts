import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Namespaces of the tests are named after the process that made them: `kg-<word>-<pid>-<count>-<host>`. */
const madeByTests = /^kg-[a-z]+-(\d+)-\d+-[a-z0-9]+$/;

/** So are their folders: `kg-<word>-<pid>-<count>-<random>`. */
const folderOfTests = /^kg-[a-z]+-(\d+)-\d+-\w+$/;

/** Ends what runs in a namespace that the tests made, and removes it. Never rejects: it may be gone already. */
export function removeNamespace(namespace: string): void {
  const listed = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" });
  for (const pid of (listed.stdout ?? "").split("\n").filter(Boolean)) killQuietly(Number(pid));
  spawnSync("ip", ["netns", "delete", namespace]);
}

/** Removes namespaces and folders of earlier test processes that no longer run: a killed run must not disturb the next. */
export function removeLeftovers(): void {
  const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const line of (listed.stdout ?? "").split("\n")) {
    const [namespace = ""] = line.split(" ");
    const pid = madeByTests.exec(namespace)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) removeNamespace(namespace);
  }
  for (const folder of readdirSync(tmpdir())) {
    const pid = folderOfTests.exec(folder)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(tmpdir(), folder), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
