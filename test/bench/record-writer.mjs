// A capture child without a capture, for the benchmark: writes so many knock records to descriptor 3 the way the real one
// does, and says what processor time that took. Plain JavaScript: it is started by node itself.

import { ChildOutbox, pipeWriter } from "../../dist/capture/child-outbox.js";
import { systemClock } from "../../dist/clock.js";
import { KnockBuffer } from "../../dist/decode/knock-buffer.js";

const records = Number(process.argv[2]);
/** As the child writes within a flood. */
const batch = 64;

const outbox = new ChildOutbox(pipeWriter(3), systemClock);
const knock = new KnockBuffer();
let written = 0;

/** Never more than the queue holds, so that nothing is lost. */
function write() {
  while (written < records && outbox.waiting < 32_768) {
    for (let at = 0; at < batch; at++) {
      knock.sequenceNumber = written++;
      outbox.knock(knock);
    }
    outbox.flush();
  }
  if (written < records || outbox.waiting > 0) return setImmediate(write);
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ cpuSeconds: (user + system) / 1e6 }));
  process.exit(0);
}

write();
