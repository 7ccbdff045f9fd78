import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import type { SourceRange } from "./spoofed-packets.ts";
import { World } from "./world.ts";

const steps = ["8861/tcp", "7341/udp", "9171/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: flooded, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}], within: 15s }
  opens: { ports: [2202], for: 5m }
`;
/** A small table, so that a small flood displaces as much in a second as a large one of the usual table. */
const [maxSources, perSecond, floodSeconds] = [2000, 2000, 12];

let world: World;
let gate: Host;
let clients: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("bounds", ["gate", "clients"]);
  [gate, clients] = [world.host("gate"), world.host("clients")];
  for (const family of ["-4", "-6"]) await gate.expect("ip", [family, "route", "add", "blackhole", "default"]);
  agent = await AgentProcess.start(world, gate, { policies, args: ["--max-sources", String(maxSources)] });
}, 30_000);

afterAll(() => world.remove());

const floods: readonly { what: string; flooders: SourceRange; knocks: "ipv4" | "ipv6"; before: number }[] = [
  {
    what: "from many addresses displaces nobody who waits with the second step done",
    flooders: { first: "10.160.0.0", count: 100_000 },
    knocks: "ipv4",
    before: 2,
  },
  {
    what: "from one IPv6 /64 displaces nobody of another one, who waits with the first",
    flooders: { first: "fd79:0:0:1::", count: 100_000 },
    knocks: "ipv6",
    before: 1,
  },
];

test.each(floods)(
  "a flood of first steps $what",
  async ({ flooders, knocks, before }) => {
    const evictions = async () => (await agent.metric("knockgate_tracker_evictions_total")) ?? 0;
    const displaced = async (count: number) => {
      const before = await evictions();
      await eventually(async () => (await evictions()) >= before + count, { what: "the flood to displace so many" });
    };
    const packet = { target: gate[knocks], protocol: "tcp", port: 8861 } as const;
    const sender = new PacketSender(world, clients, gate);
    const flood = sender.startSpoofed([{ packet, sources: flooders }], perSecond * floodSeconds, { perSecond });
    await displaced(1);
    await clients.knock(gate[knocks], steps.slice(0, before));
    await displaced(2 * maxSources); // more than once all that the table holds
    await clients.knock(gate[knocks], steps.slice(before));
    await agent.process.waitForLine(new RegExp(`grant-added.*"${clients[knocks]}"`), { timeoutMs: 3000 });
    expect(flood.isOver).toBe(false);
    expect(await agent.metric("knockgate_tracked_sources")).toBeLessThanOrEqual(maxSources);
    expect((await flood.ended).code).toBe(0);
  },
  60_000,
);
