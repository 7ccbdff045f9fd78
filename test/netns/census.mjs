// Loaded into the agent by tests (`node --import`): on SIGUSR2 it collects garbage and writes a line with what the process
// holds. Timers are counted by async_hooks, for those that do not keep the process alive are in no other list.
import { createHook } from "node:async_hooks";
import { appendFileSync, readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const timers = new Set();
createHook({
  init: (id, type) => {
    if (type === "Timeout") timers.add(id);
  },
  destroy: (id) => timers.delete(id),
}).enable();

process.on("SIGUSR2", () => {
  collect();
  setTimeout(() => {
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    const descriptors = readdirSync("/proc/self/fd").length - 1; // one is the folder's own
    const line = { descriptors, timers: timers.size, heapKiB: heapUsed >> 10, residentKiB: rss >> 10 };
    appendFileSync(process.env.CENSUS_FILE, `${JSON.stringify(line)}\n`);
  }, 50);
});
