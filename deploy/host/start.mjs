// npm start: the gateway on this host with the embedded example, which guards one port that nothing else uses.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { readiness, waitUntilReady } from "./agent-readiness.mjs";
import { demoFile, demoPolicy } from "./demo-policy.mjs";
import { serveDemo } from "./demo-service.mjs";
import { checkout } from "./npm-packages.mjs";
import { CannotGoOn, giveUp } from "./progress.mjs";
import { requireRoot, setUp } from "./setup.mjs";

const httpPort = 9780;
const folder = join(checkout, ".knockgate");
const socket = join(folder, "agent.sock");
const { steps, port } = demoPolicy();

function startAgent() {
  const places = ["--state-dir", join(folder, "state"), "--socket", socket, "--listen", `127.0.0.1:${httpPort}`];
  const args = [join(checkout, "dist/main.js"), "agent", "--config", demoFile, ...places, "--log-format", "pretty"];
  const agent = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise((resolve) => agent.on("close", (code, signal) => resolve(signal ?? code)));
  return { agent, ended };
}

/** Links that lead to containers and machines inside this host. */
const inner = /^(veth|cali|lxc|cni|docker|br-|flannel|cilium|virbr|kube-ipvs0|nodelocaldns)/;

/** The addresses by which others reach this host; loopback and link-local ones are of no use to them. */
function addresses() {
  const links = Object.entries(networkInterfaces()).filter(([name]) => !inner.test(name));
  const all = links.flatMap(([, those]) => those);
  return all.filter((one) => !one.internal && !one.address.startsWith("fe80:")).map((one) => one.address);
}

function instructions() {
  const [host = "THIS-HOST"] = addresses();
  const nmap = steps.map((step) => {
    const [number, protocol] = step.split("/");
    return `nmap -n -Pn ${protocol === "udp" ? "-sU " : ""}-p ${number} ${host}`;
  });
  const nc = steps.map((step) => {
    const [number, protocol] = step.split("/");
    return protocol === "udp" ? `echo | nc -u -w1 ${host} ${number}` : `nc -z -w1 ${host} ${number}`;
  });
  return `
Port ${port}/tcp of this host is guarded now: silent to everybody who has not knocked. Behind it is a web page.
The steps are ${steps.join(", ")}, within 15 seconds; the door stays open for 30 seconds.
This host is ${addresses().join(", ") || "not on any network"}.

With only this machine, in a second terminal (a visitor in a network namespace of its own knocks):
    npm run try

From another machine (on this one the page is always there: loopback is never gated):
    curl -m 2 http://${host}:${port}/                  # silent: nothing comes back
    node dist/main.js knock --open ${port} ${host} ${steps.join(" ")}    # in a checkout of Knockgate, or
    ${nmap.join("; ")}    # as root, or
    ${nc.join("; ")}
    curl -m 2 http://${host}:${port}/                  # the page

Watch knocks arrive:    node dist/main.js watch --socket ${socket}
What is open now:       node dist/main.js grants --socket ${socket}
Metrics and health:     curl http://127.0.0.1:${httpPort}/metrics    (also /readyz, /statusz)

Ctrl-C ends it.
`;
}

async function requireFreePorts() {
  if ((await readiness(httpPort)).status !== 0) {
    throw new CannotGoOn(
      `port ${httpPort} of loopback is taken, probably by another agent: end that one and run this again.`,
    );
  }
  try {
    return await serveDemo(port);
  } catch (error) {
    throw new CannotGoOn(`port ${port}/tcp cannot be used for the demo (${error.code}): end the program that has it.`);
  }
}

async function run() {
  requireRoot("the gateway captures packets and loads rules, which");
  await setUp("run");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const service = await requireFreePorts();
  const { agent, ended } = startAgent();
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  process.on("SIGINT", () => {}); // the terminal has told the agent as well; we wait until it has drained
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => agent.kill("SIGTERM"));
  const trouble = await waitUntilReady(httpPort, 10, () => isOver);
  if (!isOver) console.log(instructions());
  if (!isOver && trouble !== undefined) console.log(`It is not ready yet: ${trouble}.`);
  const ending = await ended;
  service.close();
  if (ending === 0) {
    const places = `--state-dir ${join(folder, "state")} --socket ${socket}`;
    console.log(`\nThe gateway has ended. Port ${port} stays guarded until you remove the table:`);
    console.log(`    node dist/main.js cleanup ${places}`);
  }
  process.exit(ending === 0 ? 0 : 1);
}

run().catch(giveUp);
