import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";
import { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let world: World;
let gate: Host;
let alice: Host;
let env: Record<string, string>;
let conf: string;
let logFile: string;
const running: RunningProcess[] = [];

const doors = `[ssh]
  sequence = 7000,8000:udp,9000
  seq_timeout = 1
  tcpflags = syn
  start_command = exit 3 # %IP%
  cmd_timeout = 1
  stop_command = echo closed %IP%
[web]
  sequence = 7001
`;

beforeAll(async () => {
  world = await World.build("knockd-command", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  env = {
    KNOCKGATE_STATE_DIR: join(world.folder, "state"),
    KNOCKGATE_SOCKET: join(world.folder, "agent.sock"),
    KNOCKGATE_LISTEN: "127.0.0.1:9781",
  };
  conf = join(world.folder, "knockd.conf");
  logFile = join(world.folder, "knockd.log");
  await gate.expect("ip", ["link", "add", "idle", "type", "veth", "peer", "name", "idle-end"]);
  writeFileSync(conf, `[options]\n  LogFile = ${logFile}\n${doors}`);
}, 30_000);

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

afterAll(async () => {
  await world.remove();
});

const run = (...args: string[]) => gate.run(process.execPath, [program, "knockd", ...args], { env });

async function startVerbose(...args: string[]): Promise<RunningProcess> {
  const knockd = gate.start(process.execPath, [program, "knockd", "-c", conf, "-i", "eth0", "-v", ...args], { env });
  running.push(knockd);
  await knockd.waitForLine("listening on eth0...");
  return knockd;
}

describe("knockgate knockd starts and ends as knockd does", () => {
  test.each([
    { args: ["--nonsense"], code: 0, says: /unknown option/ },
    { args: ["-V"], code: 0, says: /^knockd 0\.8\n/ },
    { args: ["-h"], code: 0, says: /^Usage: knockgate knockd/ },
    { args: ["-c", "/nowhere.conf"], code: 1, says: /^Usage: .*\/nowhere\.conf: No such file or directory\n$/s },
    { args: ["-i", "nolink"], code: 1, says: /could not open nolink: nolink: No such device exists/ },
    { args: ["-i", "idle"], code: 1, says: /could not open idle: idle: That device is not up/ },
  ])("$args ends with $code", async ({ args, code, says }) => {
    const result = await run(...(args[0] === "-i" ? ["-c", conf, ...args] : args));
    expect({ code: result.code, text: result.stdout + result.stderr }).toEqual({
      code,
      text: expect.stringMatching(says),
    });
  });

  test("a fault of the configuration is told in knockd's words, with the usage text", async () => {
    const bad = join(world.folder, "bad.conf");
    writeFileSync(bad, "[ssh]\n  sequence = 70000\n");
    const { code, stdout, stderr } = await run("-c", bad);
    expect([code, stderr]).toEqual([1, "config: section ssh: port 70000 is invalid\n"]);
    expect(stdout).toMatch(/^Usage:/);
  });

  test.each([
    { signal: "SIGTERM", code: 15 },
    { signal: "SIGINT", code: 2 },
  ] as const)("$signal ends it with $code", async ({ signal, code }) => {
    const knockd = await startVerbose();
    expect(await knockd.stop(signal)).toMatchObject({ code });
    expect(knockd.lines.slice(-3)).toEqual(["shutting down", "waiting for child processes...", "closing..."]);
  });

  test("an interface that disappears ends it with 0", async () => {
    await gate.expect("sh", [
      "-ec",
      "ip link add gone type veth peer name gone-end; ip link set gone up; ip link set gone-end up",
    ]);
    const knockd = gate.start(process.execPath, [program, "knockd", "-c", conf, "-i", "gone", "-v"], { env });
    running.push(knockd);
    await knockd.waitForLine("listening on gone...");
    await gate.expect("ip", ["link", "delete", "gone"]);
    expect(await knockd.ended).toMatchObject({ code: 0 });
    expect(knockd.text).toContain("pcap: The interface disappeared");
  });

  test("-d goes to the background, and the pid file is there when it has", async () => {
    const pidFile = join(world.folder, "knockd.pid");
    const args = [program, "knockd", "-d", "-c", "knockd.conf", "-i", "eth0", "-p", pidFile];
    const { code } = await gate.run(process.execPath, args, { env, cwd: world.folder });
    expect(code).toBe(0);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("knockd");
    process.kill(pid, "SIGTERM");
    await eventually(async () => !existsSync(pidFile), { what: "the pid file to go" });
  });
});

describe("knockgate knockd logs as knockd does", () => {
  test("line by line, on standard output, for the same knocks", async () => {
    const real = gate.start("knockd", ["-c", conf, "-i", "eth0", "-v", "-g", "/dev/null"]);
    running.push(real);
    await real.waitForLine("listening on eth0...");
    const ours = await startVerbose();
    await alice.knock(gate.ipv4, ["7000", "8000/udp", "9000"]);
    for (const one of [real, ours]) await one.waitForLine("command: echo closed");
    await alice.knock(gate.ipv4, ["7000"]);
    for (const one of [real, ours]) await one.waitForLine(/Stage 1/, { from: 8 });
    await new Promise((resolve) => setTimeout(resolve, 2100)); // both tell a timeout when the next packet comes
    await alice.knock(gate.ipv4, ["7001"]);
    for (const one of [real, ours]) await one.waitForLine("web: OPEN SESAME");
    const lines = ({ lines }: RunningProcess) => lines.filter((line) => /: /.test(line)).sort();
    expect(lines(ours)).toEqual(lines(real));
    console.log(lines(ours).join("\n"));
  });

  test("in the log file, with the time, and an empty line where knockd leaves one", async () => {
    writeFileSync(logFile, "");
    const knockd = await startVerbose();
    await alice.knock(gate.ipv4, ["7000", "8000/udp", "9000"]);
    await knockd.waitForLine("command: echo closed");
    await knockd.stop();
    const stamp = /^\[\d{4}-\d\d-\d\d \d\d:\d\d\] /;
    const lines = readFileSync(logFile, "utf8").split("\n");
    expect(lines.filter((line) => line !== "").every((line) => stamp.test(line))).toBe(true);
    const texts = lines.map((line) => line.replace(stamp, ""));
    const source = alice.ipv4;
    expect(texts.slice(0, 6)).toEqual([
      "starting up, listening on eth0",
      `${source}: ssh: Stage 1`,
      `${source}: ssh: Stage 2`,
      `${source}: ssh: Stage 3`,
      `${source}: ssh: OPEN SESAME`,
      `ssh: running command: exit 3 # ${source}`,
    ]);
    expect(texts.slice(6)).toEqual([
      "",
      "ssh: command returned non-zero status code (3)",
      `${source}: ssh: command timeout`,
      `ssh: running command: echo closed ${source}`,
      "",
      "shutting down",
      "",
    ]);
  });

  test("-D shows the doors and each packet, and -4 counts no IPv6", async () => {
    const knockd = await startVerbose("-D", "-4");
    await alice.knock(gate.ipv6, ["7001"]);
    await alice.knock(gate.ipv4, ["7001"]);
    await knockd.waitForLine("web: OPEN SESAME");
    expect(knockd.text).toMatch(/^config: \{"name":"ssh"/m);
    expect(knockd.text).toMatch(new RegExp(`^packet ${alice.ipv4}:\\d+ -> ${gate.ipv4}:7001 tcp flags 0x02`, "m"));
    expect(knockd.text).not.toContain(`${alice.ipv6}: web`);
  });
});

test("a bad file on SIGHUP is refused in knockd's words, and the doors stay", async () => {
  const knockd = await startVerbose();
  const good = readFileSync(conf, "utf8");
  try {
    writeFileSync(conf, "[ssh]\n  colour = red\n");
    knockd.signal("SIGHUP");
    await knockd.waitForLine(`re-reading config file: ${conf}`);
    await knockd.waitForLine("config: line 2: syntax error; the configuration in force stays");
    await alice.knock(gate.ipv4, ["7001"]);
    await knockd.waitForLine("web: OPEN SESAME");
  } finally {
    writeFileSync(conf, good);
  }
});
