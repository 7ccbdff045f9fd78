// npm run try: knocks at the gateway of `npm start` from this same machine, out of a network namespace of its own.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readiness, waitUntilReady } from "./agent-readiness.mjs";
import { demoPolicy } from "./demo-policy.mjs";
import { freePair } from "./free-range.mjs";
import { addNamespace, configure, ip, removeLeftovers, removeNamespace, runIn } from "./namespaces.mjs";
import { checkout } from "./npm-packages.mjs";
import { CannotGoOn, giveUp } from "./progress.mjs";
import { requireRoot, setUp } from "./setup.mjs";

const namespace = `kg-try-${process.pid}-visitor`;
const link = `kgtry${process.pid}`.slice(0, 15);
const { steps, port } = demoPolicy();

async function requireGateway() {
  if ((await readiness(9780)).status !== 0) return;
  throw new CannotGoOn("no gateway runs here: run `npm start` in another terminal first.");
}

function attachVisitor(pair) {
  removeLeftovers();
  addNamespace(namespace);
  ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  configure(["-n", namespace], "eth0", `${pair.visitor}/30`);
  configure([], link, `${pair.host}/30`);
}

async function probe(address) {
  const file = join(checkout, "deploy/host/door-probe.mjs");
  return (await runIn(namespace, process.execPath, [file, address, String(port)])).output;
}

/** The agent taps the new link a moment after it appears, so a first knock may be too early: then it is repeated. */
async function knockUntilOpen(address) {
  const program = join(checkout, "dist/main.js");
  const args = [program, "knock", "--open", String(port), "--wait", "2s", address, ...steps];
  for (let tries = 0; tries < 4; tries++) {
    const { code, output } = await runIn(namespace, process.execPath, args);
    if (code === 0) return output;
    await pause(500);
  }
  throw new CannotGoOn("the door did not open: another firewall on this host may drop the visitor's packets.");
}

async function run() {
  requireRoot("a network namespace");
  await setUp("run");
  await requireGateway();
  const pair = freePair();
  if (pair === undefined)
    throw new CannotGoOn("every range this script could use is taken on this host: try from another machine.");
  attachVisitor(pair);
  const trouble = await waitUntilReady(9780, 10); // on a host without a network the visitor's link is the first
  if (trouble !== undefined) throw new CannotGoOn(`the gateway is not ready: ${trouble}.`);
  console.log(`A visitor with the address ${pair.visitor} is joined to this host, ${pair.host}, by a link of its own.`);
  console.log(`Port ${port} before the knock: ${await probe(pair.host)}`);
  console.log(`Knocking ${steps.join(", ")} ...`);
  console.log(await knockUntilOpen(pair.host));
  console.log(`Port ${port} after the knock: ${await probe(pair.host)}`);
  console.log("The visitor and its link are removed again.");
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.on(signal, () => process.exit(code));
}
process.on("exit", () => removeNamespace(namespace));
run().then(() => process.exit(0), giveUp);
