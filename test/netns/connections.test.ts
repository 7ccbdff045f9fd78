import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { HeldConnection, Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";
import { Sniffer } from "./sniffer.ts";
import { SshService } from "./ssh-service.ts";
import { World } from "./world.ts";

const families = ["ipv4", "ipv6"] as const;

describe("connections that ran before the table did", () => {
  let world: World;
  let gate: Host;
  let alice: Host;
  let bob: Host;

  beforeAll(async () => {
    world = await World.build("adopt", ["gate", "alice", "bob"]);
    [gate, alice, bob] = [world.host("gate"), world.host("alice"), world.host("bob")];
  }, 30_000);

  afterAll(async () => {
    await world.remove();
  });

  test("an ssh session goes on; a stranger stays out, and so does a second connection from the same address", async () => {
    const service = await SshService.start(world, gate, 22);
    await gate.serve(["23/tcp"]);
    const sessions = families.map((family) => service.session(alice, gate[family], "cat"));
    for (const session of sessions) {
      session.write("before\n");
      await session.waitForLine("before");
    }
    const quiet = await alice.hold(gate.ipv4, 23);
    const agent = await AgentProcess.start(world, gate, { policies: policy("ssh", "Keep", "[22, 23]") });
    for (const session of sessions) {
      session.write("after\n");
      await session.waitForLine("after");
    }
    await echoes(quiet, "still here");
    for (const family of families) {
      expect(await bob.connect(gate[family], 22, { timeoutMs: 300 })).toBe("silent");
      expect(await alice.connect(gate[family], 22, { timeoutMs: 300 })).toBe("silent");
    }
    await quiet.close();
    const adopted = async () => (await agent.elements("adopted4")).length === 1 || undefined;
    await eventually(adopted, { what: "the ended connection to be let go" });
    await agent.kill();
    const second = await AgentProcess.start(world, gate, { folder: agent.folder });
    for (const session of sessions) {
      session.write("again\n");
      await session.waitForLine("again");
    }
    await second.stop();
  }, 40_000);
});

describe("what a grant's end does to connections", () => {
  let world: World;
  let gate: Host;
  let alice: Host;
  let server: Host;
  let service: RunningProcess;
  let agent: AgentProcess;

  beforeAll(async () => {
    world = await World.build("cut", ["gate", "alice", "server"]);
    [gate, alice, server] = [world.host("gate"), world.host("alice"), world.host("server")];
    service = await gate.serve(["4001/tcp", "4002/tcp", "4003/udp"], "chatty");
    await alice.serve(["7100/tcp"]);
    await forward(gate, server);
    const keep = policy("keep", "Keep", "[4001, 4011]", 0);
    const cut = policy("cut", "Cut", "[4002, 4003/udp, 4012, 5002, 5003/udp]", 100);
    agent = await AgentProcess.start(world, gate, { policies: `${keep}---\n${cut}` });
  }, 30_000);

  afterAll(async () => {
    await world.remove();
  });

  test.each(families)("Keep leaves a connection alone over %s", async (family) => {
    await knocked(alice, gate[family], steps(0));
    const connection = await alice.hold(gate[family], 4001);
    await agent.cli("revoke", alice[family]);
    expect(await alice.connect(gate[family], 4001, { timeoutMs: 300 })).toBe("silent");
    await echoes(connection, "still here");
    await connection.close();
  });

  test.each(families)("Cut ends both ends of a local TCP connection over %s", async (family) => {
    const from = service.lines.length;
    await knocked(alice, gate[family], steps(100));
    const connection = await alice.hold(gate[family], 4002);
    await agent.cli("revoke", alice[family]);
    await service.waitForLine(/lost \d+ on 4002\/tcp/, { from });
    const ended = async () => (await connection.exchange("", 200)) === "ended" || undefined;
    await eventually(ended, { what: "the client to learn that its connection has ended" });
  });

  test.each([
    { what: "a local UDP flow", port: 4003, at: "gate" },
    { what: "a forwarded UDP flow", port: 5003, at: "server" },
  ])("Cut lets nothing more of $what in, though its server keeps sending", async ({ port, at }) => {
    await knocked(alice, gate.ipv4, steps(100));
    const ask = (text: string, timeoutMs: number) =>
      alice.udp(gate.ipv4, port, { text, timeoutMs, sourcePort: 33_000 + (port % 100) });
    expect(await ask("first", 1000)).not.toBe("silent");
    const inside = await Sniffer.start(world.host(at), `udp dst port ${at === "gate" ? port : 4003}`, {
      direction: "in",
    });
    await agent.cli("revoke", alice.ipv4);
    const dropped = async () => Number(/packets (\d+)/.exec(await agent.table())?.[1] ?? 0);
    const before = await dropped();
    await ask("second", 200);
    await ask("third", 200);
    expect(await dropped()).toBeGreaterThan(before);
    if (at === "server") expect(await inside.stop()).toEqual([]);
    else {
      await inside.stop();
      expect(service.text).toMatch(/on 4003\/udp: first/);
      expect(service.text).not.toMatch(/on 4003\/udp: (second|third)/);
    }
  });

  test("Cut lets nothing more of a forwarded TCP connection in", async () => {
    await knocked(alice, gate.ipv4, steps(100));
    const connection = await alice.hold(gate.ipv4, 5002);
    await echoes(connection, "first");
    await agent.cli("revoke", alice.ipv4);
    const inside = await Sniffer.start(server, "tcp dst port 4002 and tcp[tcpflags] & tcp-push != 0", {
      direction: "in",
    });
    await connection.exchange("second", 500);
    expect(await inside.stop()).toEqual([]);
    await connection.close();
  });

  test.each([4011, 4012])(
    "the host's own connections may use the guarded port %i as their source port",
    async (port) => {
      for (const family of families) {
        const own = await gate.hold(alice[family], 7100, { sourcePort: port });
        await echoes(own, "out and back");
        await own.close();
      }
    },
  );

  async function knocked(from: Host, address: string, knock: readonly string[]): Promise<void> {
    const lines = agent.process.lines.length;
    await from.knock(address, knock);
    await agent.process.waitForLine(/grant-(added|renewed)/, { from: lines });
  }
});

/** Ports 5002/tcp and 5003/udp of the gate lead to the server, as a NodePort or a published container port does. */
async function forward(gate: Host, server: Host): Promise<void> {
  await server.serve(["4002/tcp", "4003/udp"], "chatty");
  await gate.expect("sysctl", ["-qw", "net.ipv4.ip_forward=1"]);
  const rules = `table ip ports {
    chain in { type nat hook prerouting priority dstnat; tcp dport 5002 dnat to ${server.ipv4}:4002; udp dport 5003 dnat to ${server.ipv4}:4003; }
    chain out { type nat hook postrouting priority srcnat; ip daddr ${server.ipv4} masquerade; }
  }`;
  await gate.expect("nft", ["-f", "-"], { input: rules });
}

/** Resolves when a text has come back, among the greetings and ticks of the service; rejects when it does not. */
async function echoes(connection: HeldConnection, text: string): Promise<void> {
  let heard = await connection.exchange(text);
  const isBack = async () => {
    if (!heard.includes(text)) heard += await connection.exchange("", 200);
    return heard.includes(text);
  };
  await eventually(isBack, { what: `"${text}" to come back`, timeoutMs: 3000 });
}

function steps(shift: number): string[] {
  return [`${8845 + shift}/tcp`, `${7312 + shift}/udp`, `${9127 + shift}/tcp`];
}

function policy(name: string, established: "Keep" | "Cut", ports: string, shift = 0): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps(shift).join(", ")}] }
  opens: { ports: ${ports}, for: 60s, established: ${established} }
`;
}
