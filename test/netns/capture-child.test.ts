import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ethernet, type PacketParts, packet } from "../fixture/capture-frames.ts";
import { CaptureHost } from "./capture-host.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import type { RunningProcess } from "./running-process.ts";
import { hearsPackets } from "./watched-sockets.ts";
import { savefile, type WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

let world: World;
let server: Host;
let client: Host;
let capture: CaptureHost | undefined;
beforeAll(async () => {
  world = await World.build("capchild", ["server", "client"]);
  [server, client] = [world.host("server"), world.host("client")];
});
afterEach(async () => {
  await capture?.stop();
  capture = undefined;
});
afterAll(() => world.remove());

const udp = (port: number) => port + 65536;

async function start(ports: readonly number[], interfaces: readonly string[] = []): Promise<CaptureHost> {
  capture = await CaptureHost.start(server, ports, interfaces);
  return capture;
}

/** Knocks that each are a packet of their own. */
function numbered(count: number, parts: Partial<WirePacket> = {}): WirePacket[] {
  return Array.from({ length: count }, (_, at) => ({
    source: client.ipv4,
    target: server.ipv4,
    protocol: "tcp",
    port: 7000,
    sourcePort: 10_000 + at,
    sequenceNumber: at,
    ...parts,
  }));
}

function onlyChild(of: CaptureHost): number {
  const [pid, ...others] = of.childPids();
  expect(others).toEqual([]);
  if (pid === undefined) throw new Error("no capture child");
  return pid;
}

/** The next `capturing` line after `from` that names eth0. */
function capturingAgain(of: CaptureHost, from: number): Promise<string> {
  return of.process.waitForLine(/"capturing","interfaces":\["eth0"\]/, { from });
}

async function knockOnce(of: CaptureHost, sequenceNumber: number): Promise<void> {
  const before = of.knocks.length;
  await new PacketSender(world, client, server).send(numbered(1, { sequenceNumber }));
  await of.waitForKnocks(before + 1);
}

describe("privileges", () => {
  test("no thread of the child has a capability or is anybody", async () => {
    const pid = onlyChild(await start([7000]));
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"),
    );
    expect(threads.length).toBeGreaterThan(3);
    for (const status of threads) {
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
        expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, "m"));
      expect(status).toMatch(/^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
      expect(status).toMatch(/^Gid:\s+65534\s+65534\s+65534\s+65534$/m);
      expect(status).toMatch(/^Groups:\s*$/m);
    }
  });

  test("the filter is in the kernel and small", async () => {
    await start(Array.from({ length: 300 }, (_, at) => 1000 + at * 97));
    const filter = /bpf filter \((\d+)\)/.exec(await server.expect("ss", ["-0", "-b"]));
    expect(Number(filter?.[1])).toBeGreaterThan(20);
    expect(Number(filter?.[1])).toBeLessThan(1000);
  });
});

describe("with the capabilities of a container", () => {
  const only = (...names: string[]) => [
    "setpriv",
    "--no-new-privs",
    `--bounding-set=-all${names.map((name) => `,+${name}`).join("")}`,
  ];

  test("NET_ADMIN, NET_RAW, SETUID and SETGID are enough, also to end a child that hangs", async () => {
    capture = await CaptureHost.startWith(only("net_admin", "net_raw", "setuid", "setgid"), server, [7000]);
    const pid = onlyChild(capture);
    const from = capture.process.lines.length;
    process.kill(pid, "SIGSTOP");
    await capturingAgain(capture, from);
    expect(isAlive(pid)).toBe(false);
    expect(capture.restarts).toEqual(["hung"]);
    await knockOnce(capture, 4);
    expect(capture.told.filter(({ message }) => String(message).includes("privileges"))).toEqual([]);
  });

  test("without SETUID and SETGID it captures all the same, and says once what is missing", async () => {
    capture = await CaptureHost.startWith(only("net_raw"), server, [7000]);
    await capture.watch([7000, 8000]);
    await knockOnce(capture, 5);
    const told = capture.told.filter(({ message }) => String(message).includes("privileges"));
    expect(told).toHaveLength(1);
    expect(told[0]?.message).toContain("SETUID and SETGID");
  });

  test("without NET_RAW it says why, and goes on trying", async () => {
    capture = await CaptureHost.startWith(only("net_admin"), server, [7000]);
    expect(capture.told.find(({ event }) => event === "warned")?.message).toMatch(/^Cannot capture on eth0: .*permi/);
    await capture.process.waitForLine(/"restarted"/);
  });
});

describe("tags", () => {
  const knock: PacketParts = { port: 7000 };
  const frames = () => {
    const ends = { source: client.ipv4, target: server.ipv4 };
    const six = { source: client.ipv6, target: server.ipv6 };
    return [
      { name: "no tag", frame: ethernet(packet({ ...knock, ...ends, sourcePort: 1 })) },
      { name: "one tag", frame: ethernet(packet({ ...knock, ...ends, sourcePort: 2 }), [0x8100]) },
      { name: "one tag, IPv6", frame: ethernet(packet({ ...knock, ...six, sourcePort: 3 }), [0x8100]) },
      { name: "two tags", frame: ethernet(packet({ ...knock, ...ends, sourcePort: 4 }), [0x88a8, 0x8100]) },
      { name: "two tags, IPv6", frame: ethernet(packet({ ...knock, ...six, sourcePort: 5 }), [0x88a8, 0x8100]) },
      {
        name: "two tags, IPv4 options, UDP",
        frame: ethernet(
          packet({ port: 9000, protocol: "udp", options: [1, 1, 1, 0], ...ends, sourcePort: 6 }),
          [0x8100, 0x8100],
        ),
      },
      { name: "three tags", frame: ethernet(packet({ ...knock, ...ends, sourcePort: 7 }), [0x88a8, 0x8100, 0x8100]) },
      {
        name: "IPv6 extension headers",
        frame: ethernet(
          packet({ ...knock, ...six, sourcePort: 8, extensions: [{ kind: 60, bytes: [0, 0, 1, 4, 0, 0, 0, 0] }] }),
        ),
      },
      {
        name: "two tags, IPv6 extension headers",
        frame: ethernet(
          packet({ ...knock, ...six, sourcePort: 9, extensions: [{ kind: 60, bytes: [0, 0, 1, 4, 0, 0, 0, 0] }] }),
          [0x8100, 0x8100],
        ),
      },
      { name: "IPv4 options", frame: ethernet(packet({ ...knock, ...ends, sourcePort: 10, options: [1, 1, 1, 0] })) },
    ];
  };

  test.each([{ taps: ["eth0"] }, { taps: ["any"] }])(
    "on $taps frames with and without tags are read",
    async ({ taps }) => {
      const running = await start([7000, udp(9000)], taps);
      const file = join(world.folder, "tags.pcap");
      const all = frames();
      const mac = server.mac.split(":").map((byte) => Number.parseInt(byte, 16));
      for (const { frame } of all) frame.set(mac, 0);
      writeFileSync(file, savefile(all.map(({ frame }) => frame)));
      await client.expect("tcpreplay", ["-i", "eth0", "--topspeed", file]);
      await running.waitForKnocks(all.length);
      expect(running.knocks.map((text) => Number(/:(\d+) >/.exec(text)?.[1])).sort((a, b) => a - b)).toEqual(
        all.map((_, at) => at + 1),
      );
    },
  );
});

describe("a child that fails is replaced", () => {
  test.each([
    { signal: "SIGKILL", cause: "killed" },
    { signal: "SIGSTOP", cause: "hung" },
  ] as const)("after $signal knocks count again", async ({ signal, cause }) => {
    const running = await start([7000]);
    await knockOnce(running, 1);
    const from = running.process.lines.length;
    process.kill(onlyChild(running), signal);
    await capturingAgain(running, from);
    expect(running.restarts).toEqual([cause]);
    await knockOnce(running, 2);
    expect(running.childPids()).toHaveLength(1);
  });

  test("a link that goes down and comes up is captured again", async () => {
    const running = await start([7000]);
    const from = running.process.lines.length;
    await server.expect("ip", ["link", "set", "eth0", "down"]);
    await running.process.waitForLine(/"capturing","interfaces":\[\]/, { from });
    const down = running.process.lines.length;
    await server.expect("ip", ["link", "set", "eth0", "up"]);
    await capturingAgain(running, down);
    await knockOnce(running, 3);
  });

  test.each([
    { name: "while nothing comes", perSecond: 0 },
    { name: "while packets come that match", perSecond: 2000 },
  ])(
    "after each of several flaps that are faster than anybody looks, $name, knocks count at once",
    async ({ perSecond }) => {
      const running = await start([7000]);
      for (let flap = 0; flap < 5; flap++) {
        const traffic = perSecond > 0 ? await startTraffic(running, perSecond) : undefined;
        await server.expect("sh", ["-c", "ip link set eth0 down; ip link set eth0 up"]);
        const knock = numbered(1, { sourcePort: 100 + flap });
        await new PacketSender(world, client, server).send(knock);
        await running.process.waitForLine(`${client.ipv4}:${100 + flap} >`);
        await eventually(async () => isHeard(running), { what: "one child that packets wake" });
        await traffic?.stop();
      }
    },
  );

  test("a link that flaps while packets wait in the ring of its capture is captured again", async () => {
    const running = await start([7000]);
    const pid = onlyChild(running);
    process.kill(pid, "SIGSTOP"); // not for so long that it counts as hung
    await new PacketSender(world, client, server).send(numbered(1));
    await server.expect("sh", ["-c", "ip link set eth0 down; ip link set eth0 up"]);
    process.kill(pid, "SIGCONT");
    await running.waitForKnocks(1);
    const restarted = async () => running.restarts.length > 0 && running.childPids().length === 1;
    await eventually(restarted, { what: "another child" });
    await knockOnce(running, 2);
  });

  test("the child goes with its agent, also when that is killed", async () => {
    const running = await start([7000]);
    const pid = onlyChild(running);
    process.kill(running.process.pid, "SIGKILL");
    await running.process.ended;
    capture = undefined;
    await eventually(async () => !isAlive(pid), { what: "the child to end" });
  });
});

/** Matching packets until it is stopped; resolves when the first has come. */
async function startTraffic(running: CaptureHost, perSecond: number): Promise<RunningProcess> {
  const from = running.process.lines.length;
  const traffic = new PacketSender(world, client, server).start(numbered(1000), { perSecond, seconds: 60 });
  await running.process.waitForLine('"knock"', { from });
  return traffic;
}

/** Whether there is one child alone, and packets wake it; not so while another one takes its place. */
function isHeard(running: CaptureHost): boolean {
  const [pid, ...others] = running.childPids();
  try {
    return pid !== undefined && others.length === 0 && hearsPackets(pid);
  } catch {
    return false; // it ended while it was looked at
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("reload", () => {
  test("changes of the filter under traffic lose nothing and double nothing", async () => {
    const running = await start([7000]);
    const packets = numbered(4000);
    const flood = new PacketSender(world, client, server).start(packets, { perSecond: 1000 });
    for (let change = 1; !flood.isOver; change++) await running.watch([7000, 8000 + change]);
    const knocks = await running.waitForKnocks(packets.length);
    expect(knocks).toHaveLength(packets.length);
    expect(new Set(knocks).size).toBe(packets.length);
    expect(new Set(running.restarts)).toEqual(new Set(["reload"]));
  });

  test("what still waits in the ring of the old child is handed over before that ends", async () => {
    const running = await start([7000]);
    const pid = onlyChild(running);
    const watching = running.watch([7000, 8000]);
    await eventually(async () => running.childPids().length === 2, { what: "a second child", everyMs: 1 });
    process.kill(pid, "SIGSTOP"); // until the other one, which opens its taps only now, is ready
    await client.knock(server.ipv4, ["7000/tcp"]);
    await watching;
    if (isAlive(pid)) process.kill(pid, "SIGCONT");
    expect(await running.waitForKnocks(1)).toHaveLength(1);
  });

  test("an interface that is not there yet is waited for", async () => {
    const running = await start([7000], ["eth0", "late0"]);
    expect(running.told).toContainEqual({ event: "capturing", interfaces: ["eth0"], waitingFor: ["late0"] });
    const from = running.process.lines.length;
    await server
      .expect("ip", ["link", "add", "late0", "type", "dummy"])
      .catch(() => server.expect("ip", ["link", "add", "late0", "type", "bridge"]));
    await server.expect("ip", ["link", "set", "late0", "up"]);
    await running.process.waitForLine(/"interfaces":\["eth0","late0"\],"waitingFor":\[\]/, { from });
    await server.expect("ip", ["link", "del", "late0"]);
    await running.process.waitForLine(/"interfaces":\["eth0"\],"waitingFor":\["late0"\]/, { from });
  });

  test("a new address counts without a new child", async () => {
    const running = await start([7000]);
    const from = running.process.lines.length;
    await server.expect("ip", ["address", "add", "10.77.200.1/32", "dev", "lo"]);
    await running.process.waitForLine('"links"', { from });
    const packets = numbered(1, { target: "10.77.200.1" });
    const sender = new PacketSender(world, client, server);
    const counted = async () => {
      await sender.send(packets);
      return running.knocks.length > 0;
    };
    await eventually(counted, { what: "a knock on the new address" });
    expect(running.restarts).toEqual([]);
    await server.expect("ip", ["address", "del", "10.77.200.1/32", "dev", "lo"]);
  });
});
