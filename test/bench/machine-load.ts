import { readFileSync } from "node:fs";

const measuredMs = 2000;
/** USER_HZ of /proc/stat. */
const ticksPerSecond = 100;

/** The share of all processors that others than this process use, over two seconds: /proc/stat, "cpu" (proc(5)). */
export async function busyShare(pause: (ms: number) => Promise<unknown>, own: () => NodeJS.CpuUsage): Promise<number> {
  const [before, ownBefore] = [processorTicks(), own()];
  await pause(measuredMs);
  const [after, ownAfter] = [processorTicks(), own()];
  const ownTicks = ((ownAfter.user + ownAfter.system - ownBefore.user - ownBefore.system) / 1e6) * ticksPerSecond;
  return Math.max(0, after.busy - before.busy - ownTicks) / Math.max(1, after.all - before.all);
}

/** Ticks of all processors since boot. Idle are the fourth column and, waiting for a disk, the fifth. */
function processorTicks(): { readonly busy: number; readonly all: number } {
  const [line = ""] = readFileSync("/proc/stat", "latin1").split("\n");
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, each) => sum + each, 0);
  return { all, busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
}
