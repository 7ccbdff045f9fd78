// npm run demo: the whole story in two network namespaces, in under 30 seconds. This host's network is not touched.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoPolicy } from "./demo-policy.mjs";
import { addNamespace, configure, ip, removeLeftovers, removeNamespace, runIn } from "./namespaces.mjs";
import { checkout } from "./npm-packages.mjs";
import { CannotGoOn, giveUp } from "./progress.mjs";
import { requireRoot, setUp } from "./setup.mjs";

const gateway = { namespace: `kg-demo-${process.pid}-gateway`, ipv4: "10.77.0.1", ipv6: "fd77::1" };
const visitor = { namespace: `kg-demo-${process.pid}-visitor`, ipv4: "10.77.0.2", ipv6: "fd77::2" };
const openSeconds = 5;
const program = join(checkout, "dist/main.js");
const folder = mkdtempSync(join(tmpdir(), `kg-demo-${process.pid}-files-`));
const { text, steps, port } = demoPolicy();
let beganAt = performance.now();

function say(sentence) {
  console.log(`${((performance.now() - beganAt) / 1000).toFixed(1).padStart(5)} s  ${sentence}`);
}

function removeAll() {
  for (const { namespace } of [gateway, visitor]) removeNamespace(namespace);
  rmSync(folder, { recursive: true, force: true });
}

function buildNetwork() {
  removeLeftovers();
  for (const { namespace } of [gateway, visitor]) addNamespace(namespace);
  const peer = ["peer", "name", "eth0", "netns", visitor.namespace];
  ip("-n", gateway.namespace, "link", "add", "eth0", "type", "veth", ...peer);
  for (const { namespace, ipv4, ipv6 } of [gateway, visitor]) {
    configure(["-n", namespace], "eth0", `${ipv4}/24`, `${ipv6}/64`);
  }
}

async function startGateway() {
  const inside = ["netns", "exec", gateway.namespace, process.execPath];
  const service = spawn("ip", [...inside, join(checkout, "deploy/host/demo-service.mjs"), String(port)]);
  await new Promise((resolve) => service.stdout.once("data", resolve));
  const config = join(folder, "demo.yaml");
  writeFileSync(config, text.replace(/for: \d+s/, `for: ${openSeconds}s`));
  const places = ["--config", config, "--state-dir", join(folder, "state"), "--socket", join(folder, "agent.sock")];
  const agent = spawn("ip", [...inside, program, "agent", ...places, "--listen", "127.0.0.1:9780"]);
  let log = "";
  for (const stream of [agent.stdout, agent.stderr]) {
    stream.on("data", (chunk) => {
      log += chunk;
    });
  }
  const wait = await runIn(gateway.namespace, process.execPath, [
    join(checkout, "deploy/host/agent-readiness.mjs"),
    "9780",
  ]);
  if (wait.code !== 0) throw new CannotGoOn(`the agent did not get ready: ${wait.output}\n${log}`);
}

/** What the visitor finds behind the port: silent, refused, or open and the page. */
async function probe(address, waitMs = 1000) {
  const file = join(checkout, "deploy/host/door-probe.mjs");
  return (await runIn(visitor.namespace, process.execPath, [file, address, String(port), String(waitMs)])).output;
}

async function expectDoor(state, address, sentence) {
  const found = await probe(address);
  if (!found.startsWith(state)) throw new Error(`${address} port ${port} should be ${state} and was ${found}`);
  say(
    `${sentence}${found
      .replace(state, "")
      .replace(/^ ./, (text) => `: "${text.trim()}`)
      .replace(/([^"])$/, '$1"')}`,
  );
}

function knock(address, hits, ...flags) {
  return runIn(visitor.namespace, process.execPath, [program, "knock", ...flags, address, ...hits]);
}

/** Knocks right and resolves to the moment at which the door was found open. */
async function openDoor(address) {
  const { code, output } = await knock(address, steps, "--open", String(port));
  if (code !== 0) throw new Error(`the door did not open: ${output}`);
  say(`It knocks ${steps.join(", ")}. ${output.split("\n").at(-1)}`);
  return performance.now();
}

async function waitForClosing(address, openedAt) {
  while ((await probe(address, 300)) !== "silent");
  const seconds = ((performance.now() - openedAt) / 1000).toFixed(1);
  say(
    `Time is up: the kernel has closed the door, seen ${seconds} s after it opened (a probe waits 0.3 s for an answer).`,
  );
}

async function tell() {
  buildNetwork();
  await startGateway();
  say(
    `A gateway (${gateway.ipv4}) with a web server on port ${port}, and a visitor (${visitor.ipv4}). Knockgate guards the port.`,
  );
  await expectDoor("silent", gateway.ipv4, `The visitor tries port ${port}: not one packet comes back`);
  await knock(gateway.ipv4, [...steps].reverse());
  await expectDoor(
    "silent",
    gateway.ipv4,
    `It knocks in the wrong order, ${[...steps].reverse().join(", ")}: still silent`,
  );
  const openedAt = await openDoor(gateway.ipv4);
  await expectDoor("open", gateway.ipv4, "The web server answers");
  const { output } = await runIn(gateway.namespace, "nft", ["list", "set", "inet", "knockgate", "granted4"]);
  say(
    `What is open is an element with a timeout in the kernel: ${/elements = \{ ?([^}]*?) comment/s.exec(output)?.[1] ?? "?"}`,
  );
  await waitForClosing(gateway.ipv4, openedAt);
  await expectDoor("silent", gateway.ipv6, "The same over IPv6: silent");
  await openDoor(gateway.ipv6);
  await expectDoor("open", gateway.ipv6, "The web server answers");
  say("Everything is removed again. Try it on this host with `npm start`.");
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.on(signal, () => process.exit(code));
}
process.on("exit", removeAll);

try {
  requireRoot("the demo makes network namespaces and");
  await setUp("run");
  beganAt = performance.now();
  await tell();
  process.exit(0);
} catch (error) {
  giveUp(error);
}
