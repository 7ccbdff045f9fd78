import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import type { RunningProcess } from "./running-process.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let world: World;
let gate: Host;
let alice: Host;
let bob: Host;
let env: Record<string, string>;
let files = 0;
const running: RunningProcess[] = [];

beforeAll(async () => {
  world = await World.build("defects", ["gate", "alice", "bob"]);
  [gate, alice, bob] = [world.host("gate"), world.host("alice"), world.host("bob")];
  env = {
    KNOCKGATE_STATE_DIR: join(world.folder, "state"),
    KNOCKGATE_SOCKET: join(world.folder, "agent.sock"),
  };
}, 30_000);

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

afterAll(async () => {
  await world.remove();
});

/** The real knockd and Knockgate in its place, each with a configuration of its own. */
interface Both {
  readonly real: RunningProcess;
  readonly ours: RunningProcess;
}

function start(which: "real" | "ours", conf: string): RunningProcess {
  const file = join(world.folder, `${which}-${files++}.conf`);
  writeFileSync(file, conf);
  const args = ["-c", file, "-i", gate.link, "-v"];
  const started =
    which === "real" ? gate.start("knockd", args) : gate.start(process.execPath, [program, "knockd", ...args], { env });
  running.push(started);
  return started;
}

async function startBoth(confOf: (which: "real" | "ours") => string): Promise<Both> {
  const both = { real: start("real", confOf("real")), ours: start("ours", confOf("ours")) };
  for (const one of Object.values(both)) await one.waitForLine("listening on");
  return both;
}

/** proc(5), `children`. */
function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
}

const count = (one: RunningProcess, line: string) => one.lines.filter((found) => found === line).length;

/** Prints and returns how often each of the two said a line, once both have said the last one. */
async function compare(both: Both, what: string, line: string, of: number, last?: string) {
  if (last !== undefined) for (const one of Object.values(both)) await one.waitForLine(last);
  const result = { knockd: count(both.real, line), knockgate: count(both.ours, line) };
  console.log(`${what}: knockd ${result.knockd} of ${of}, Knockgate ${result.knockgate} of ${of}`);
  return result;
}

/** SYNs of these sources to these ports, one after the other. */
function send(packets: readonly (readonly [Host, number])[]): Promise<number> {
  const list: WirePacket[] = packets.map(([from, port], at) => ({
    source: from.ipv4,
    target: gate.ipv4,
    protocol: "tcp",
    port,
    sourcePort: 20_000 + at,
    sequenceNumber: at + 1,
  }));
  return new PacketSender(world, alice, gate).send(list, { perSecond: 500 });
}

const ssh = "[ssh]\n  sequence = 7000,8000,9000\n  tcpflags = syn\n";
const end = "[end]\n  sequence = 1999\n";

test("a stranger who hits the first port once a second spoils no right knock", async () => {
  const both = await startBoth(() => ssh + end);
  const stranger = bob.start("sh", ["-c", `while sleep 1; do knock ${gate.ipv4} 7000; done`]);
  running.push(stranger);
  for (let knock = 0; knock < 10; knock++) await alice.run("knock", ["-d", "700", gate.ipv4, "7000", "8000", "9000"]);
  await stranger.stop("SIGKILL");
  await send([[alice, 1999]]);
  const opening = `${alice.ipv4}: ssh: OPEN SESAME`;
  const result = await compare(both, "junk on the first port", opening, 10, `${alice.ipv4}: end: OPEN SESAME`);
  expect(result.knockgate).toBe(10);
  expect(result.knockd).toBeLessThan(10);
});

test("two clients who knock at the same time both get in", async () => {
  const both = await startBoth(() => ssh + end);
  for (let round = 0; round < 10; round++)
    await send([7000, 8000, 9000].flatMap((port) => [[alice, port] as const, [bob, port] as const]));
  await send([[alice, 1999]]);
  const result = await compare(
    both,
    "the second of two interleaved clients",
    `${bob.ipv4}: ssh: OPEN SESAME`,
    10,
    `${alice.ipv4}: end: OPEN SESAME`,
  );
  expect(result.knockgate).toBe(10);
  expect(result.knockd).toBeLessThan(10);
});

test("a door whose sequence goes on where another's ends opens", async () => {
  const both = await startBoth(() => `[short]\n  sequence = 7000,8000\n[long]\n  sequence = 7000,8000,9000\n${end}`);
  for (let round = 0; round < 10; round++) await send([7000, 8000, 9000].map((port) => [alice, port] as const));
  await send([[bob, 1999]]);
  const result = await compare(
    both,
    "the longer of two doors",
    `${alice.ipv4}: long: OPEN SESAME`,
    10,
    `${bob.ipv4}: end: OPEN SESAME`,
  );
  expect(result.knockgate).toBe(10);
  expect(result.knockd).toBeLessThan(10);
});

test("the last line of a one-time file ends its door and no other", async () => {
  for (const which of ["real", "ours"]) writeFileSync(join(world.folder, `once-${which}`), " 7100,8100\n");
  const both = await startBoth((which) => `[once]\n  one_time_sequences = ${world.folder}/once-${which}\n${ssh}`);
  await send([7100, 8100].map((port) => [alice, port] as const));
  for (const one of Object.values(both)) await one.waitForLine(`${alice.ipv4}: once: OPEN SESAME`);
  const died = await both.real.ended;
  await both.ours.waitForLine(/no unused line left/);
  await send([7000, 8000, 9000].map((port) => [bob, port] as const));
  await both.ours.waitForLine(`${bob.ipv4}: ssh: OPEN SESAME`);
  const result = await compare(both, "another door after the last one-time line", `${bob.ipv4}: ssh: OPEN SESAME`, 1);
  console.log(`knockd ended with ${JSON.stringify(died)}, Knockgate runs`);
  expect(result).toEqual({ knockd: 0, knockgate: 1 });
  expect(readFileSync(join(world.folder, "once-ours"), "utf8")).toBe("# 7100,8100\n");
});

test("a bad configuration on SIGHUP ends nothing", async () => {
  const both = await startBoth(() => ssh);
  for (const file of [files - 2, files - 1])
    for (const which of ["real", "ours"])
      if (existsSync(join(world.folder, `${which}-${file}.conf`)))
        writeFileSync(join(world.folder, `${which}-${file}.conf`), "[ssh]\n  colour = red\n");
  for (const one of Object.values(both)) one.signal("SIGHUP");
  const ended = await both.real.ended;
  await both.ours.waitForLine(/syntax error; the configuration in force stays/);
  await send([7000, 8000, 9000].map((port) => [alice, port] as const));
  await both.ours.waitForLine(`${alice.ipv4}: ssh: OPEN SESAME`);
  const result = await compare(both, "a knock after a bad reload", `${alice.ipv4}: ssh: OPEN SESAME`, 1);
  console.log(`knockd ended with ${JSON.stringify(ended)}, Knockgate runs`);
  expect(result).toEqual({ knockd: 0, knockgate: 1 });
});

test("a door that was open at SIGKILL is closed", async () => {
  const doorFile = (which: string) => join(world.folder, `open-${which}`);
  const confOf = (which: "real" | "ours") =>
    `${ssh}  start_command = echo %IP% > ${doorFile(which)}\n  cmd_timeout = 2\n  stop_command = rm ${doorFile(which)}\n`;
  const both = await startBoth(confOf);
  await send([7000, 8000, 9000].map((port) => [alice, port] as const));
  const isOpen = (which: string) => existsSync(doorFile(which));
  await eventually(async () => isOpen("real") && isOpen("ours"), { what: "both doors to open" });
  // As systemd and container runtimes do it: all of its processes, with knockd's sleeping child that was to close the door.
  for (const one of Object.values(both))
    for (const pid of [...childrenOf(one.pid), one.pid]) process.kill(pid, "SIGKILL");
  await Promise.all(Object.values(both).map((one) => one.ended));
  await new Promise((resolve) => setTimeout(resolve, 2200)); // the door's time is over, and nobody is there
  const again = { real: start("real", confOf("real")), ours: start("ours", confOf("ours")) };
  for (const one of Object.values(again)) await one.waitForLine("listening on");
  await eventually(async () => !isOpen("ours"), { what: "Knockgate to close the door" });
  console.log(
    `a door open at SIGKILL, after a restart: knockd ${isOpen("real") ? "open" : "closed"}, Knockgate closed`,
  );
  expect(isOpen("real")).toBe(true);
});

test("the same door as a policy that opens ports needs nobody to close it", async () => {
  await gate.serve(["2207/tcp"]);
  const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh }
spec:
  knock: { steps: [7000, 8000, 9000], tcpFlags: [syn], matching: Knockd }
  opens: { ports: [2207], for: 2s }
`;
  const agent = await AgentProcess.start(world, gate, { policies });
  running.push(agent.process);
  await alice.knock(gate.ipv4, ["7000", "8000", "9000"]);
  const reach = async () => alice.connect(gate.ipv4, 2207, { timeoutMs: 300 });
  await eventually(async () => (await reach()) === "open", { what: "the door to open" });
  await agent.kill();
  await eventually(async () => (await reach()) === "silent", { what: "the kernel to close the door" });
  console.log("a converted door open at SIGKILL, without a restart: Knockgate closed");
});
