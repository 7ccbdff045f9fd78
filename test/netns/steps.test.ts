import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tcpFlag } from "../../src/decode/knock.ts";
import { AgentProcess } from "./agent-process.ts";
import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

const policies = [
  policy("plain", "8871/tcp, 7351/udp, 9181/tcp", 2301),
  policy("twice", "8872/tcp, 8872/tcp, 7352/tcp", 2302),
  policy("twice-udp", "8873/udp, 8873/udp, 7353/udp", 2303),
  policy("hasty", "8874/tcp, 7354/udp, 9184/tcp", 2304, "1s"),
  policy("listening", "8875/tcp, 7355/tcp, 9185/tcp", 2305),
  policy("mark", "8876/udp, 7356/udp, 9186/udp", 2306),
].join("---\n");

const rightKnock = "8871 7351/udp 9181";

let world: World;
let gate: Host;
let client: Host;
let agent: AgentProcess;
let sources = 0;
let marks = 0;

beforeAll(async () => {
  world = await World.build("steps", ["gate", "client"]);
  [gate, client] = [world.host("gate"), world.host("client")];
  await gate.serve(["2301/tcp", "2305/tcp", "8875/tcp", "7355/tcp", "9185/tcp"]);
  agent = await AgentProcess.start(world, gate, { policies });
}, 30_000);

afterAll(() => world.remove());

/**
 * Packets are written as ports of TCP SYNs, or `/udp`. `:4001` is the source port, by default another one for each packet, so
 * the same packet again is the same port with the same source port; `+sa` are other flags; `#7` is an IPv4 identification.
 */
describe("a door stays closed, and opens for the right knock after it, when", () => {
  test.each([
    ["two steps are exchanged", "8871 9181 7351/udp"],
    ["the steps come backwards", "9181 7351/udp 8871"],
    ["a step is left out", "8871 9181"],
    ["every protocol is the other one", "8871/udp 7351 9181/udp"],
    ["one protocol is the other one", "8871 7351 9181"],
    ["the last step is SYN and ACK", "8871 7351/udp 9181+sa"],
    ["the last step is a FIN", "8871 7351/udp 9181+f"],
    ["the last step is an ACK", "8871 7351/udp 9181+a"],
    ["the last step has no flags", "8871 7351/udp 9181+"],
    ["all steps are SYN and ACK", "8871+sa 7351/udp 9181+sa"],
    ["a neighbour of a step is touched", "8871 7351/udp 9180 9181"],
  ])("%s", async (_, wrong) => {
    const source = nextSource();
    await send(source, wrong);
    expect(grantsOf(source)).toEqual([]);
    await send(source, rightKnock);
    expect(grantsOf(source)).toEqual(["grant-added"]);
    expect(await agent.elements("granted4")).toContainEqual(expect.stringMatching(`^${source} . tcp . 2301 `));
  });

  test.each([
    ["a repeated step is only a retransmission", "8872:4001 8872:4001 7352", "8872 8872 7352"],
    ["a repeated datagram is the same one", "8873/udp:4001#7 8873/udp:4001#7 7353/udp", "8873/udp 8873/udp 7353/udp"],
  ])("%s", async (_, wrong, right) => {
    const source = nextSource();
    await send(source, wrong);
    expect(grantsOf(source)).toEqual([]);
    await send(source, right);
    expect(grantsOf(source)).toEqual(["grant-added"]);
  });

  test("the window has run out before the last step", async () => {
    const source = nextSource();
    await send(source, "8874 7354/udp");
    await pause(1000);
    await send(source, "9184");
    expect(grantsOf(source)).toEqual([]);
    await send(source, "8874 7354/udp 9184");
    expect(grantsOf(source)).toEqual(["grant-added"]);
  });
});

describe("a door opens exactly once when", () => {
  test.each([
    ["every packet comes twice", "8871:4001 8871:4001 7351/udp:4002#1 7351/udp:4002#1 9181:4003 9181:4003"],
    ["the first SYN is sent again between the others", "8871:4001 7351/udp 8871:4001 9181"],
    ["all are sent again when it is open", "8871:4001 7351/udp:4002#1 9181:4003 8871:4001 7351/udp:4002#1 9181:4003"],
    ["a browser opens two sockets for each step", "8872:4001 8872:4002 7352:4003 7352:4004"],
    ["a step is hit again by another socket", "8871 8871 7351/udp 7351/udp 9181 9181"],
    ["a port is named twice, and hit from two source ports", "8872:4001 8872:4002 7352"],
    ["a datagram's port is named twice, and hit by two packets", "8873/udp:4001#1 8873/udp:4001#2 7353/udp"],
    ["other ports and wrong flags come between the steps", "8871 22 7351/udp 9181+a 53/udp 9181"],
  ])("%s", async (_, packets) => {
    const source = nextSource();
    await send(source, packets);
    expect(grantsOf(source)).toEqual(["grant-added"]);
  });

  test("a datagram's port is named twice, and hit over IPv6 from two source ports, not from one", async () => {
    const [one, two] = ["fd77::30:1", "fd77::30:2"];
    await send(one, "8873/udp:4001 8873/udp:4001 7353/udp");
    expect(grantsOf(one)).toEqual([]);
    await send(two, "8873/udp:4001 8873/udp:4002 7353/udp");
    expect(grantsOf(two)).toEqual(["grant-added"]);
  });

  test("a client keeps its sockets open, talks over them and closes them", async () => {
    const held = [];
    for (const port of [8875, 7355, 9185]) held.push(await client.hold(gate.ipv4, port));
    await agent.process.waitForLine(/grant-added.*bastion\/listening/);
    for (const connection of held) expect(await connection.exchange("hello")).toContain("hello");
    for (const connection of held) await connection.close();
    await settled();
    expect(grantsOf(client.ipv4)).toEqual(["grant-added"]);
    expect(await client.connect(gate.ipv4, 2305)).toBe("open");
  });

  test("a client hears no answer, waits, and its SYNs are retransmitted", async () => {
    const source = "10.77.31.1";
    const before = await repeated();
    await client.expect("ip", ["address", "add", `${source}/32`, "dev", client.link]);
    await client.expect("nft", ["-f", "-"], { input: deafClient });
    const syn = (port: number) =>
      client.connect(gate.ipv4, port, { sourceAddress: source, sourcePort: 20_000 + port, timeoutMs: 3500 });
    const first = syn(8871);
    await pause(1200); // the kernel retransmits after one second and three
    await client.knock(gate.ipv4, ["7351/udp"], { sourceAddress: source });
    const last = syn(9181);
    await agent.process.waitForLine(new RegExp(`grant-added.*"${source}"`));
    expect(await Promise.all([first, last])).toEqual(["silent", "silent"]);
    await settled();
    expect(grantsOf(source)).toEqual(["grant-added"]);
    expect(await repeated()).toBeGreaterThanOrEqual(before + 3); // two of the first SYN, one or two of the last
  });
});

const deafClient = `table inet deaf {
  chain input {
    type filter hook input priority 0
    ip daddr 10.77.31.1 tcp flags & rst == rst drop
  }
}
`;

/** Each knock from an address of its own, so that no test knows what another did. */
function nextSource(): string {
  return `10.77.30.${++sources}`;
}

/** Puts the packets on the wire, ten milliseconds apart, and waits until the agent has seen all of them. */
async function send(source: string, packets: string): Promise<void> {
  const wire = packets.split(" ").map((text, at) => parsePacket(source, text, at));
  await new PacketSender(world, client, gate).send(wire, { perSecond: 100 });
  await settled();
}

/** Packets are taken in order: when a later knock has opened its own door, the earlier ones have had their effect. */
async function settled(): Promise<void> {
  const source = `10.77.40.${++marks}`;
  const steps = ["8876/udp", "7356/udp", "9186/udp"].map((text, at) => parsePacket(source, text, at));
  await new PacketSender(world, client, gate).send(steps);
  await agent.process.waitForLine(new RegExp(`grant-added.*"${source}"`));
}

let packetNumber = 0;

function parsePacket(source: string, text: string, at: number): WirePacket {
  const parts = /^(\d+)(\/udp)?(?::(\d+))?(?:\+(\w*))?(?:#(\d+))?$/.exec(text);
  if (parts === null) throw new Error(`not a packet: ${text}`);
  const [, port, udp, sourcePort, flags, ipId] = parts;
  const fresh = 30_000 + (packetNumber++ % 20_000);
  return {
    source,
    target: source.includes(":") ? gate.ipv6 : gate.ipv4,
    protocol: udp === undefined ? "tcp" : "udp",
    port: Number(port),
    sourcePort: sourcePort === undefined ? fresh : Number(sourcePort),
    sequenceNumber: sourcePort === undefined ? fresh : Number(sourcePort),
    flags: flags === undefined ? tcpFlag.syn : flagBits(flags),
    ipId: ipId === undefined ? at + 100 : Number(ipId),
  };
}

function flagBits(letters: string): number {
  const bits: Readonly<Record<string, number>> = { s: tcpFlag.syn, a: tcpFlag.ack, f: tcpFlag.fin };
  return [...letters].reduce((flags, letter) => flags | (bits[letter] ?? 0), 0);
}

/** The audit records of one source, in order. */
function grantsOf(source: string): string[] {
  const records = agent.process.lines.filter((line) => line.includes(`"source":"${source}"`));
  return records.map((line) => String((JSON.parse(line) as { event?: unknown }).event));
}

/** How many knocks were known as packets, or steps, that had come before. */
async function repeated(): Promise<number> {
  const { body } = await agent.http("/metrics");
  const lines = body.split("\n").filter((line) => /^knockgate_knocks_total\{.*outcome="repeated"/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
}

function policy(name: string, steps: string, port: number, within = "15s"): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps}], within: ${within} }
  opens: { ports: [${port}], for: 5m }
`;
}
