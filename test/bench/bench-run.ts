import { cpuUsage } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { writePage } from "./bench-page.ts";
import { beginRun, endRun, goalTable } from "./bench-results.ts";
import { busyShare } from "./machine-load.ts";

/** More than this of the processors in use by others before a run begins makes its figures doubtful. */
const noisyShare = 0.1;

/** Before the parts: warns when the machine is busy with something else. */
export async function setup(): Promise<void> {
  beginRun();
  const share = await busyShare((ms) => pause(ms), cpuUsage);
  if (share > noisyShare)
    console.log(
      `Warning: ${Math.round(share * 100)} % of this machine is busy with other work; figures will be worse.`,
    );
}

/** After them: one table of what was to be reached, the JSON, and with KNOCKGATE_BENCH_PAGE the page of the documentation. */
export function teardown(): void {
  const ended = endRun();
  if (ended === undefined) return;
  console.log(`\n${goalTable(ended.run.parts)}\n\nWritten to ${ended.file}`);
  if (process.env.KNOCKGATE_BENCH_PAGE !== undefined)
    for (const file of writePage(ended.run)) console.log(`and to ${file}`);
}
