import { constants, setPriority } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Port, portOfKey } from "../../src/policy/port.ts";
import { compileTexts } from "../fake/policy-text.ts";
import { type AgentCounts, agentCounts, countedSince, tellCounts } from "./agent-counts.ts";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender, sentPackets } from "./packet-sender.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

const door = 2201;
const steps = ["8861/tcp", "7341/udp", "9171/tcp"];
const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: crowded, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}], within: 30s }
  opens: { ports: [${door}], for: 5m }
`;

const crowd = [
  ...Array.from({ length: 150 }, (_, at) => `10.77.16.${at + 1}`),
  ...Array.from({ length: 50 }, (_, at) => `fd78:0:0:${(at + 1).toString(16)}::7`),
];
const latecomers = Array.from({ length: 50 }, (_, at) => `10.77.17.${at + 1}`);

const flood = { perSecond: 20_000, rounds: 2, addresses: 10_000, packets: 100_000 };

let world: World;
let gate: Host;
let clients: Host;
let flooder: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("load", ["gate", "clients", "flooder"]);
  [gate, clients, flooder] = [world.host("gate"), world.host("clients"), world.host("flooder")];
  await clients.expect("ip", ["route", "add", "local", "10.77.16.0/23", "dev", clients.link]);
  const addresses = crowd.filter((source) => source.includes(":"));
  const batch = addresses.map((source) => `address add ${source}/128 dev ${clients.link} nodad\n`).join("");
  await clients.expect("ip", ["-6", "-batch", "-"], { input: batch });
  await gate.expect("ip", ["-6", "route", "add", "fd78::/48", "via", clients.ipv6]);
  await gate.expect("ip", ["route", "add", "default", "via", flooder.ipv4]); // the flood's packets are answered, as anywhere
  await gate.serve([`${door}/tcp`]);
  agent = await AgentProcess.start(world, gate, { policies: policy });
}, 30_000);

afterAll(() => world.remove());

test("two hundred sources knock interleaved, and each gets in exactly once", async () => {
  for (const step of steps) await Promise.all(crowd.map((source) => hit(source, [step])));
  await eventually(async () => granted("added").length >= crowd.length, { what: "two hundred grants" });
  expect(granted("added").toSorted()).toEqual(crowd.toSorted());
  expect(granted("renewed")).toEqual([]);
  expect((await openSources()).toSorted()).toEqual(crowd.toSorted());
  const met = await Promise.all(crowd.map((source) => connect(source)));
  expect(new Set(met)).toEqual(new Set(["open"]));
  const strangers = await Promise.all(latecomers.map((source) => connect(source)));
  expect(new Set(strangers)).toEqual(new Set(["silent"]));
}, 60_000);

test("fifty of fifty right knocks open while ten thousand addresses send twenty thousand packets a second", async () => {
  const before = await agentCounts(agent, gate);
  const from = agent.process.lines.length;
  const sender = new PacketSender(world, flooder, gate).start(floodPackets(), flood);
  setPriority(sender.pid, constants.priority.PRIORITY_HIGHEST); // the flood keeps its rate, the agent gets what is left
  const arrived = async () => (await agentCounts(agent, gate)).received > before.received + 5000;
  await eventually(arrived, { what: "the flood to arrive" });

  const waits: number[] = [];
  const knocking = latecomers.map(async (source, at) => {
    await pause(at * 160);
    const began = performance.now();
    await hit(source, steps);
    await agent.process.waitForLine(new RegExp(`grant-added.*"${source}"`), { from, timeoutMs: 5000 });
    waits.push(performance.now() - began);
    return connect(source);
  });
  const met = await Promise.all(knocking);
  expect(sender.isOver, "the flood is still on when the last door opens").toBe(false);
  await sender.ended;
  const sent = sentPackets(sender);
  const since = await eventually(() => countedWhole(before), { what: "the capture to tell its counts" });
  const seconds = Number(/sent in ([\d.]+) seconds/.exec(sender.text)?.[1]);
  tell(sent, seconds, since, waits);

  expect(met).toEqual(latecomers.map(() => "open"));
  expect((await openSources()).toSorted()).toEqual([...crowd, ...latecomers].toSorted());
  expect(sent).toBe(flood.packets * flood.rounds);
  expect(since.restarts).toBe(0);
}, 60_000);

/** Half of it first knocks, the rest on random ports and on the other ports that are watched: steps and decoys. */
function floodPackets(): WirePacket[] {
  const sequence = compileTexts([policy]).policies[0]?.opensBy;
  const others = [...(sequence?.steps.slice(1) ?? []), ...(sequence?.decoys ?? [])].map(portOfKey);
  expect(others).toHaveLength(steps.length - 1 + 64 + 6);
  return Array.from({ length: flood.packets }, (_, at): WirePacket => {
    const address = at % flood.addresses;
    const kind = (at + Math.floor(at / flood.addresses)) % 4;
    const random: Port = { protocol: kind === 1 ? "tcp" : "udp", port: 1 + ((at * 7919) % 65_535) };
    const watched = others[at % others.length] ?? random;
    return {
      ...(kind % 2 === 0 ? { protocol: "tcp", port: 8861 } : at % 3 === 0 ? watched : random),
      source: `10.${128 + (address >> 8)}.${address & 255}.1`,
      target: gate.ipv4,
      sourcePort: 1024 + (at % 60_000),
      sequenceNumber: at + 1,
      ipId: at & 0xffff,
    };
  });
}

/** Knocks as a client does that sends one packet after the other. */
function hit(source: string, ports: readonly string[]): Promise<void> {
  return clients.knock(source.includes(":") ? gate.ipv6 : gate.ipv4, ports, { sourceAddress: source });
}

function connect(source: string): Promise<string> {
  const target = source.includes(":") ? gate.ipv6 : gate.ipv4;
  return clients.connect(target, door, { sourceAddress: source, timeoutMs: 500 });
}

/** The sources of one kind of audit record. */
function granted(kind: "added" | "renewed"): string[] {
  const records = agent.process.lines.filter((line) => line.includes(`"grant-${kind}"`));
  return records.map((line) => String((JSON.parse(line) as { source?: unknown }).source));
}

async function openSources(): Promise<string[]> {
  const elements = [...(await agent.elements("granted4")), ...(await agent.elements("granted6"))];
  return elements.map((element) => element.split(" ")[0] ?? "");
}

/** What was counted since, when the capture, which counts once a second, has told of every packet that was matched. */
async function countedWhole(before: AgentCounts): Promise<AgentCounts | undefined> {
  const since = countedSince(before, await agentCounts(agent, gate));
  return since.captured >= since.knocks ? since : undefined;
}

function tell(sent: number, seconds: number, since: AgentCounts, waits: readonly number[]): void {
  const sorted = waits.toSorted((one, other) => one - other);
  console.log(
    [
      `flood: ${sent} packets sent in ${seconds.toFixed(1)} s`,
      tellCounts(since),
      `whole knock to grant: median ${sorted[sorted.length >> 1]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`,
    ].join("\n"),
  );
}
