// Runs inside a namespace for the tests: begins a TCP connection to an address and port every 10 ms, whatever became of the
// ones before, and counts what became of them. Prints a line when an outcome differs from the one before, and the counts
// at the end of its input. Plain JavaScript: it is started by node itself.
import { connect } from "node:net";

const [address, port] = process.argv.slice(2);
const everyMs = 10;
const silentMs = 400;
const counts = {};
let last;
let longestGapMs = 0;
let begunAt;

function settle(outcome) {
  counts[outcome] = (counts[outcome] ?? 0) + 1;
  if (outcome !== last) console.log(`now ${outcome}`);
  last = outcome;
}

function probe() {
  const now = performance.now();
  if (begunAt !== undefined) longestGapMs = Math.max(longestGapMs, now - begunAt);
  begunAt = now;
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port) });
    let isOver = false;
    const finish = (outcome) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.destroy();
      settle(outcome);
      resolve();
    };
    // A busy machine may notice the answer and the end of the wait in one moment: the answer counts.
    const timer = setTimeout(() => setImmediate(() => finish("silent")), silentMs);
    socket.once("connect", () => finish("open"));
    socket.once("error", (error) => finish(error.code === "ECONNREFUSED" ? "refused" : error.code));
  });
}

const underWay = new Set();
const timer = setInterval(() => {
  const attempt = probe().finally(() => underWay.delete(attempt));
  underWay.add(attempt);
}, everyMs);
console.log("probing");
process.stdin.resume();
process.stdin.on("end", async () => {
  clearInterval(timer);
  await Promise.all(underWay);
  console.log(`counts ${JSON.stringify({ counts, longestGapMs: Math.round(longestGapMs) })}`);
  process.exit(0);
});
