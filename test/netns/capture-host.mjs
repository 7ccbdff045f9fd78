// Runs a live source in the namespace it is started in: `node capture-host.mjs [interface…]`. Prints one JSON object a line
// ({ knock }, { event, … }); reads lines `watch 7000,8000,74536`, and `quit`.
import { createInterface } from "node:readline";
import { LinkWatch } from "../../dist/capture/link-watch.js";
import { LiveSource } from "../../dist/capture/live-source.js";
import { systemClock } from "../../dist/clock.js";
import { formatAddress } from "../../dist/policy/address.js";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const watched = (text) => ({
  ports: new Set(text.split(",").map(Number)),
  flags: { must: 2, mustNot: 16 },
  extraTargets: [],
});
const report = {
  packets: (interfaceName, count) => say({ event: "packets", interfaceName, count }),
  dropped: (reason, count) => say({ event: "dropped", reason, count }),
  discarded: (reason, count) => say({ event: "discarded", reason, count }),
  restarted: (cause) => say({ event: "restarted", cause }),
  capturing: (interfaces, waitingFor) => say({ event: "capturing", interfaces, waitingFor }),
  library: (version) => say({ event: "library", version }),
  warned: (message) => say({ event: "warned", message }),
};
const receive = (knock) => {
  const lateMicros = systemClock.nowMicros() - knock.atMicros;
  const ends = `${formatAddress(knock.source)}:${knock.sourcePort} > ${formatAddress(knock.target)}:${knock.port}`;
  say({ knock: `${ends}/${knock.protocol === 6 ? "tcp" : "udp"}`, lateMicros });
};

const links = new LinkWatch({ clock: systemClock, warned: report.warned });
const source = new LiveSource({ interfaces: process.argv.slice(2), clock: systemClock, links, report });
await links.start(() => say({ event: "links" }));
let started = false;
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ports] = line.split(" ");
  if (word === "quit") break;
  const watch = watched(ports);
  await (started ? source.update(watch) : source.start(watch, receive));
  started = true;
  say({ event: "watching", ports });
}
await source.close();
links.close();
say({ event: "closed" });
process.exit(0); // standard input is still open
