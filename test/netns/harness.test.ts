import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./eventually.ts";
import { startKnockd } from "./knockd-service.ts";
import { removeLeftovers } from "./leftovers.ts";
import { nmapScan } from "./nmap-scan.ts";
import { PacketSender } from "./packet-sender.ts";
import { RunningProcess, runToEnd } from "./running-process.ts";
import { Sniffer } from "./sniffer.ts";
import { SshService } from "./ssh-service.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await World.build("harness", ["server", "visitor", "stranger"]);
  await world.host("server").serve(["8080/tcp", "5353/udp"]);
  await world.host("server").expect("nft", ["-f", "-"], { input: dropTable });
});
afterAll(() => world.remove());

describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
  test("a service is open, an unused port is refused, a dropped one is silent", async () => {
    const [server, visitor] = [world.host("server"), world.host("visitor")];
    expect(await visitor.connect(server[family], 8080)).toBe("open");
    expect(await visitor.connect(server[family], 8081)).toBe("refused");
    expect(await visitor.connect(server[family], 9999, { timeoutMs: 300 })).toBe("silent");
  });

  test("datagrams are answered, unreachable or silent", async () => {
    const [server, visitor] = [world.host("server"), world.host("visitor")];
    expect(await visitor.udp(server[family], 5353)).toBe("echo hello");
    expect(await visitor.udp(server[family], 5354)).toBe("unreachable");
    expect(await visitor.udp(server[family], 9999, { timeoutMs: 300 })).toBe("silent");
  });

  test("a knock is one packet a step, in order", async () => {
    const [server, stranger] = [world.host("server"), world.host("stranger")];
    const sniffer = await Sniffer.start(server, `portrange 7000-7002 and dst host ${server[family]}`);
    await stranger.knock(server[family], ["7000/udp", "7001", "7002/udp"]);
    await sniffer.waitFor(".7002: ");
    const packets = await sniffer.stop();
    expect(packets.map((line) => /\.(700\d): (Flags \[S\])?/.exec(line)?.slice(1))).toEqual([
      ["7000", undefined],
      ["7001", "Flags [S]"],
      ["7002", undefined],
    ]);
  });

  test("made packets arrive with valid checksums", async () => {
    const [server, visitor] = [world.host("server"), world.host("visitor")];
    const sniffer = await Sniffer.start(visitor, "tcp src port 8080", { direction: "in" });
    const packet: WirePacket = { source: visitor[family], target: server[family], protocol: "tcp", port: 8080 };
    expect(await new PacketSender(world, visitor, server).send([packet])).toBe(1);
    expect(await sniffer.waitFor("8080 >")).toContain("Flags [S.]");
    await sniffer.stop();
  });

  test("a real ssh runs a command through a real sshd", async () => {
    const ssh = await SshService.start(world, world.host("server"), family === "ipv4" ? 2022 : 2023);
    const result = await ssh.ssh(world.host("visitor"), world.host("server")[family], "echo inside");
    expect(result).toMatchObject({ code: 0, stdout: "inside\n" });
  });

  test("nmap tells open from closed", async () => {
    const report = await nmapScan(world.host("visitor"), world.host("server")[family], ["-sS", "-p8080,8081"]);
    expect([...report.states]).toEqual([
      ["8080/tcp", "open"],
      ["8081/tcp", "closed"],
    ]);
  });
});

test("a held connection exchanges texts until the server goes", async () => {
  const [server, visitor] = [world.host("server"), world.host("visitor")];
  const service = await server.serve(["8090/tcp"]);
  const connection = await visitor.hold(server.ipv4, 8090);
  expect(await connection.exchange("")).toBe("welcome to 8090/tcp\n");
  expect(await connection.exchange("one")).toBe("one");
  await service.stop();
  expect(await connection.exchange("two")).toBe("ended");
});

test("what a killed run left is removed, with the programs in it", async () => {
  const ended = await runToEnd("sh", ["-c", "echo $$"]);
  const leftover = `kg-harness-${ended.stdout.trim()}-0-server`;
  await runToEnd("ip", ["netns", "add", leftover]);
  const forgotten = new RunningProcess("ip", ["netns", "exec", leftover, "sleep", "60"]);
  await eventually(async () => (await runToEnd("ip", ["netns", "pids", leftover])).stdout !== "", { what: "sleep" });
  removeLeftovers();
  expect(await forgotten.ended).toMatchObject({ signal: "SIGKILL" });
  expect((await runToEnd("ip", ["netns", "list"])).stdout).not.toContain(leftover);
});

test("a flood keeps its rate", async () => {
  const [server, stranger] = [world.host("server"), world.host("stranger")];
  const packets = Array.from({ length: 500 }, (_, at): WirePacket => {
    return { source: `10.77.7.${at % 250}`, target: server.ipv4, protocol: "udp", port: 7000 + at };
  });
  const sent = await new PacketSender(world, stranger, server).send(packets, { perSecond: 5000, seconds: 1 });
  expect(sent).toBeGreaterThan(4000);
  expect(sent).toBeLessThan(6000);
});

test("the real knockd runs its command", async () => {
  const [server, visitor] = [world.host("server"), world.host("visitor")];
  const command = `/bin/touch ${world.folder}/opened-%IP%`;
  const knockd = await startKnockd(world, server, [{ name: "door", sequence: "7100,7200:udp,7300", command }]);
  await visitor.expect("knock", [server.ipv4, "7100", "7200:udp", "7300"]);
  expect(await knockd.waitForLine("OPEN SESAME")).toContain(visitor.ipv4);
});

const dropTable = `table inet harness {
  chain input {
    type filter hook input priority 0
    meta l4proto { tcp, udp } th dport 9999 drop
  }
}
`;
