import { appendFileSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import { type Host, programPath } from "./host.ts";
import { KernelLog, kernelLogObstacle } from "./kernel-log.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");
const obstacle = kernelLogObstacle();
if (obstacle !== undefined) console.log(`Capture from the kernel's log was not tested: it needs ${obstacle}.`);
/** Of this run alone: the kernel has one log for all. */
const prefix = `knock${process.pid}`;
const steps = ["7201/tcp", "7044/udp", "7133/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [2222], for: 60s }
`;

let world: World;
let gate: Host;
let client: Host;
let log: KernelLog;
let agent: AgentProcess | undefined;

beforeAll(async () => {
  if (obstacle !== undefined && process.env.CI !== "true") return;
  world = await World.build("logcap", ["gate", "client"]);
  [gate, client] = [world.host("gate"), world.host("client")];
  await gate.serve(["2222/tcp"]);
  log = await KernelLog.start(world);
}, 90_000);

afterEach(async () => {
  await agent?.stop();
  await gate?.run("sh", [
    "-c",
    "nft delete table inet knockgate; nft delete table inet knockgate_log; iptables -F INPUT; ip6tables -F INPUT",
  ]);
});

afterAll(async () => {
  await log?.stop();
  await world?.remove();
});

async function startAgent(capture: string, more: { through?: readonly string[]; env?: Record<string, string> } = {}) {
  agent = await AgentProcess.start(world, gate, {
    policies,
    args: ["--capture", capture, "--log-prefix", prefix],
    ...more,
  });
  expect(await client.connect(gate.ipv4, 2222)).toBe("silent");
  return agent;
}

/** The classic commands, which log a range of ports without a blank behind the prefix. */
async function logByIptables(): Promise<void> {
  for (const program of ["iptables", "ip6tables"])
    for (const protocol of ["tcp", "udp"]) {
      const match = ["-A", "INPUT", "-p", protocol, "--dport", "7000:7255"];
      await gate.expect(program, [...match, "-j", "LOG", "--log-prefix", prefix]);
    }
}

async function logByNft(running: AgentProcess): Promise<void> {
  const { stdout, code } = await running.cli("ruleset", "--config", `${running.folder}/config`, "--log-prefix", prefix);
  expect(code).toBe(0);
  await gate.expect("nft", ["-f", "-"], { input: stdout });
}

/** How many lines the log has of this source. */
function linesFrom(source: string): number {
  return readFileSync(log.path, "utf8").split(`SRC=${source} `).length - 1;
}

/** Milliseconds until the door was open, or what else knock says. */
async function knock(address: string, ...ports: readonly string[]): Promise<number | string> {
  const { stdout, stderr } = await client.run(process.execPath, [
    main,
    "knock",
    "--open",
    "2222",
    "--wait",
    "5s",
    address,
    ...ports,
  ]);
  const answered = /answered after ([\d.]+) ms/.exec(stdout)?.[1];
  return answered === undefined ? stderr : Number(answered);
}

describe.skipIf(obstacle !== undefined && process.env.CI !== "true")("knocks from the kernel's log", () => {
  test("open doors, logged by iptables LOG on a range of ports, over IPv4 and IPv6", async () => {
    await startAgent(`log:${log.path}`);
    await logByIptables();
    for (const address of [gate.ipv4, gate.ipv6]) expect(await knock(address, ...steps)).toEqual(expect.any(Number));
    expect(await agent?.elements("granted6")).toHaveLength(1);
  });

  test("open doors, logged by the rules that `knockgate ruleset --log-prefix` prints; the median is printed", async () => {
    const running = await startAgent(`log:${log.path}`);
    await logByNft(running);
    const times: number[] = [];
    for (let round = 0; round < 11; round++) {
      const [to, from] = round % 2 === 0 ? [gate.ipv4, client.ipv4] : [gate.ipv6, client.ipv6];
      const took = await knock(to, ...steps);
      expect(took).toEqual(expect.any(Number));
      times.push(Number(took));
      await running.cli("revoke", from);
    }
    const sorted = times.sort((one, other) => one - other);
    console.log(
      `from the last knock to the open door by a followed log: median ${sorted[5]} ms of 11, most ${sorted[10]} ms`,
    );
  }, 120_000);

  test("a wrong order opens nothing, a line that another program writes neither, and rotation loses no knock", async () => {
    await startAgent(`log:${log.path}`);
    await logByIptables();
    const [first = "", second = "", third = ""] = steps;
    await client.knock(gate.ipv4, [first, third]);
    appendFileSync(
      log.path,
      `user  :warn  : [    1.000000] ${prefix}IN=eth0 OUT= SRC=${client.ipv4} DST=${gate.ipv4} PROTO=UDP SPT=1 DPT=7044 LEN=9 \n`,
    );
    expect(await client.connect(gate.ipv4, 2222)).toBe("silent");
    await client.knock(gate.ipv4, [first]);
    await log.rotate();
    expect(await knock(gate.ipv4, second, third)).toEqual(expect.any(Number));
  });

  test("come through while another address floods, which fills no disk", async () => {
    const running = await startAgent(`log:${log.path}`);
    await logByNft(running);
    const calm = "10.77.0.99";
    await client.expect("ip", ["address", "add", `${calm}/16`, "dev", client.link]);
    const before = linesFrom(client.ipv4);
    await client.expect("bash", ["-c", `for i in {1..1000}; do echo >/dev/udp/${gate.ipv4}/7044; done`]);
    await client.knock(gate.ipv4, steps, { sourceAddress: calm });
    const isOpen = async () => (await client.connect(gate.ipv4, 2222, { sourceAddress: calm })) === "open";
    await eventually(isOpen, { what: "the door of the calm one" });
    const logged = linesFrom(client.ipv4) - before;
    console.log(`of 1000 packets of a flood ${logged} were logged`);
    expect(logged).toBeLessThan(500);
  });

  test("come from standard input", async () => {
    await startAgent("-", {
      through: [
        "bash",
        "-c",
        'exec "$@" < <(exec setpriv --pdeathsig KILL dmesg --follow-new --kernel 2>/dev/null)',
        "bash",
      ],
    });
    await logByIptables();
    expect(await knock(gate.ipv4, ...steps)).toEqual(expect.any(Number));
  });

  test("come from the journal, as journalctl prints it", async () => {
    const folder = programPath("./journal");
    await startAgent("journal", { env: { PATH: `${folder}:${process.env.PATH}` } });
    await logByIptables();
    expect(await knock(gate.ipv6, ...steps)).toEqual(expect.any(Number));
  });
});
