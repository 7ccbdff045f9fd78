import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { CommandFirewall } from "./command-firewall.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const ports = [21, 22, 80, 2201, 2202, 2203, 2204, 2205, 2206];

let world: World;
let gate: Host;
let other: Host;
let alice: Host;
let bob: Host;
let firewall: CommandFirewall;
let conf: string;
let once: string;
let agent: AgentProcess;

/** What a knockd.conf of these tests says; the sequences of `once` are in a file of their own. */
function configuration(): string {
  const { open, close } = firewall;
  return `[options]
  UseSyslog
[mixed]
  sequence = 7000:udp,8000:tcp,9000:udp
  seq_timeout = 15
  tcpflags = syn
  start_command = ${open} 2201 %IP%
  cmd_timeout = 25
  stop_command = ${close} 2201 %IP%
[openSSH]
  sequence = 7101,8101,9101
  tcpflags = syn
  command = ${open} 22 %IP%
[closeSSH]
  sequence = 9101,8101,7101
  tcpflags = syn
  command = ${close} 22 %IP%
[all]
  sequence = 7102:udp,8102:udp,9102:udp
  command = ${open} 21 %IP%; ${open} 22 %IP% && ${open} 80 %IP%
[brief]
  sequence = 7103,8103,9103
  tcpflags = syn
  command = ${open} 2202 %IP%
  cmd_timeout = 2
  stop_command = ${close} 2202 %IP%
[nmap]
  sequence = 7104,8104,9104
  tcpflags = syn
  command = ${open} 2203 %IP%
[nc]
  sequence = 7105:udp,8105:udp,9105:udp
  command = ${open} 2204 %IP%
[knock]
  sequence = 7106,8106:udp,9106
  tcpflags = syn
  command = ${open} 2205 %IP%
[once]
  one_time_sequences = ${once}
  tcpflags = syn
  command = ${open} 2206 %IP%
`;
}

const start = (host: Host, file = conf) =>
  AgentProcess.start(world, host, { args: ["--knockd-conf", file, "--allow-commands"] });
const reach = (from: Host, port: number, family: "ipv4" | "ipv6" = "ipv4") =>
  from.connect(gate[family], port, { timeoutMs: 300 });
const comesOpen = (from: Host, port: number, family: "ipv4" | "ipv6" = "ipv4") =>
  eventually(async () => (await reach(from, port, family)) === "open", { what: `port ${port} to open` });
const comesShut = (from: Host, port: number, timeoutMs = 10_000) =>
  eventually(async () => (await reach(from, port)) === "silent", { what: `port ${port} to close`, timeoutMs });

beforeAll(async () => {
  world = await World.build("knockd-conf", ["gate", "alice", "bob", "other"]);
  [gate, alice, bob, other] = ["gate", "alice", "bob", "other"].map((name) => world.host(name)) as [
    Host,
    Host,
    Host,
    Host,
  ];
  await gate.serve(ports.map((port) => `${port}/tcp`));
  firewall = await CommandFirewall.build(world, gate, ports);
  once = join(world.folder, "once");
  writeFileSync(once, " 7301,8301,9301\n 7302,8302,9302\n 7303,8303,9303\n");
  conf = join(world.folder, "knockd.conf");
  writeFileSync(conf, configuration());
  agent = await start(gate);
}, 30_000);

afterAll(async () => {
  await world.remove();
});

describe("a knockd.conf", () => {
  test("the mixed sequence 7000:udp,8000:tcp,9000:udp with tcpflags = syn opens for 25 s and closes by itself", async () => {
    expect(await reach(alice, 2201)).toBe("silent");
    const from = agent.process.lines.length;
    await alice.knock(gate.ipv4, ["7000/udp", "8000/tcp", "9000/udp"]);
    await comesOpen(alice, 2201);
    expect(await reach(bob, 2201)).toBe("silent");
    await comesShut(alice, 2201, 40_000);
    const closed = await agent.process.waitForLine(/grant-expired.*knockd\/mixed/, { from });
    const added = agent.process.lines.slice(from).find((line) => line.includes("grant-added")) ?? "{}";
    const timeOf = (line: string) => Date.parse((JSON.parse(line) as { time: string }).time) / 1000;
    expect(timeOf(closed) - timeOf(added)).toBeCloseTo(25, 0);
  });

  test("openSSH opens and closeSSH, its reversed sequence, closes", async () => {
    await alice.knock(gate.ipv4, ["7101", "8101", "9101"]);
    await comesOpen(alice, 22);
    await alice.knock(gate.ipv4, ["9101", "8101", "7101"]);
    await comesShut(alice, 22);
  });

  test("one knock opens 21, 22 and 80 by scripts", async () => {
    await bob.knock(gate.ipv4, ["7102/udp", "8102/udp", "9102/udp"]);
    for (const port of [21, 22, 80]) await comesOpen(bob, port);
    expect(await reach(alice, 80)).toBe("silent");
  });

  test("the same over IPv6, with the address in its place", async () => {
    await alice.knock(gate.ipv6, ["7101", "8101", "9101"]);
    await comesOpen(alice, 22, "ipv6");
    expect(await reach(bob, 22, "ipv6")).toBe("silent");
    await alice.knock(gate.ipv6, ["9101", "8101", "7101"]);
  });

  test("a door that the agent was killed under is closed when it is back", async () => {
    await alice.knock(gate.ipv4, ["7103", "8103", "9103"]);
    await comesOpen(alice, 2202);
    await agent.kill();
    await new Promise((resolve) => setTimeout(resolve, 2500)); // the door's time passes with nobody there to close it
    expect(await reach(alice, 2202)).toBe("open");
    agent = await AgentProcess.start(world, gate, {
      args: ["--knockd-conf", conf, "--allow-commands"],
      folder: agent.folder,
    });
    await comesShut(alice, 2202);
  });
});

describe("the ways people knock", () => {
  test("Debian's knock", async () => {
    const args = ["-d", "20", gate.ipv4, "7106:tcp", "8106:udp", "9106"];
    expect((await alice.run("knock", args)).code).toBe(0);
    await comesOpen(alice, 2205);
  });

  test("nmap, a port at a time", async () => {
    for (const port of [7104, 8104, 9104])
      await alice.expect("nmap", ["-n", "-Pn", "-sS", "--max-retries", "0", "-p", String(port), gate.ipv4]);
    await comesOpen(alice, 2203);
  });

  test("nc by UDP", async () => {
    for (const port of [7105, 8105, 9105])
      await alice.run("nc", ["-u", "-w1", gate.ipv4, String(port)], { input: "x" });
    await comesOpen(alice, 2204);
  });
});

describe("one-time sequences", () => {
  test("each line opens once, by either family, and the door is disabled when none is left", async () => {
    await alice.knock(gate.ipv4, ["7301", "8301", "9301"]);
    await comesOpen(alice, 2206);
    await eventually(async () => readFileSync(once, "utf8").startsWith("# 7301"), { what: "the line to be marked" });
    await knockUntilMarked(["7302", "8302", "9302"], "ipv6");
    await comesOpen(alice, 2206, "ipv6");
    await bob.knock(gate.ipv4, ["7302", "8302", "9302"]);
    expect(await reach(bob, 2206)).toBe("silent");
    await knockUntilMarked(["7303", "8303", "9303"], "ipv4");
    await agent.process.waitForLine("one-time-exhausted");
    await eventually(async () => (await agent.metric("knockgate_one_time_exhausted")) === 1, { what: "the metric" });
    expect(readFileSync(once, "utf8")).toBe("# 7301,8301,9301\n# 7302,8302,9302\n# 7303,8303,9303\n");
    await bob.knock(gate.ipv4, ["7101", "8101", "9101"]);
    await comesOpen(bob, 22);
  });

  /** The line counts as soon as the file was read again. */
  async function knockUntilMarked(steps: readonly string[], family: "ipv4" | "ipv6") {
    const knock = async () => {
      await alice.knock(gate[family], steps);
      return readFileSync(once, "utf8").includes(`# ${steps.join(",")}`);
    };
    await eventually(knock, { what: `${steps.join()} to be used`, everyMs: 300 });
  }

  test("two agents that read one file never both open by one line", async () => {
    const shared = join(world.folder, "shared");
    writeFileSync(shared, " 7401,8401,9401\n 7402,8402,9402\n");
    const file = join(world.folder, "shared.conf");
    writeFileSync(file, `[shared]\n one_time_sequences = ${shared}\n command = echo opened %IP%\n`);
    await agent.stop();
    const both = await Promise.all([start(gate, file), start(other, file)]);
    await Promise.all([gate, other].map((host) => alice.knock(host.ipv4, ["7401", "8401", "9401"])));
    const told = await Promise.all(both.map(({ process }) => process.waitForLine(/grant-(added|refused)/)));
    expect(told.map((line) => /grant-\w+/.exec(line)?.[0]).sort()).toEqual(["grant-added", "grant-refused"]);
    expect(readFileSync(shared, "utf8")).toBe("# 7401,8401,9401\n 7402,8402,9402\n");
    await both[1].stop();
    await both[0].stop();
    agent = await start(gate);
  });
});

test("a policy that opens ports runs its commands when the door opens and when it closes", async () => {
  const diary = join(world.folder, "diary");
  const line = (word: string) => `[/bin/sh, -c, 'echo ${word} %IP% $KNOCKGATE_PORTS $KNOCKGATE_SEQUENCE >> ${diary}']`;
  const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: noted, namespace: bastion }
spec:
  knock: { steps: [7601, 8601/udp, 9601] }
  opens: { ports: [2208, 2209/udp], for: 2s }
  run:
    opened: ${line("opened")}
    closed: ${line("closed")}
`;
  const noting = await AgentProcess.start(world, other, { policies, args: ["--allow-commands"] });
  await alice.knock(other.ipv4, ["7601", "8601/udp", "9601"]);
  await noting.process.waitForLine(/command-ended.*"moment":"closed"/);
  const ends = `${alice.ipv4} 2208/tcp,2209/udp bastion/noted`;
  expect(readFileSync(diary, "utf8")).toBe(`opened ${ends}\nclosed ${ends}\n`);
  await noting.stop();
});

describe("a change of the file", () => {
  test("is taken up at once, and a bad one is refused while the last good one stays in force", async () => {
    const from = agent.process.lines.length;
    writeFileSync(conf, `${configuration()}[late]\n sequence = 7501,8501\n command = ${firewall.open} 2201 %IP%\n`);
    await agent.process.waitForLine("config-accepted", { from });
    writeFileSync(conf, "[late]\n sequence = 7501,85010\n colour = red\n");
    const refused = await agent.process.waitForLine("config-refused", { from });
    expect(refused).toMatch(/knockd\.conf:2: .*knockd\.conf:3: /);
    agent.process.signal("SIGHUP");
    await agent.process.waitForLine("config-refused", { from: agent.process.lines.length });
    await bob.knock(gate.ipv4, ["7501", "8501"]);
    await comesOpen(bob, 2201);
  });
});
