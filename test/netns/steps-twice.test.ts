import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const policies = [
  policy("plain", "8881/tcp, 7361/udp, 9191/tcp", 2311),
  policy("twice", "8882/tcp, 8882/tcp, 7362/tcp", 2312),
].join("---\n");

let world: World;
let client: Host;

/** Hosts whose link is the port of a bridge, so that each packet passes two taps; where the agent is told to capture. */
const doubled = [
  { name: "a bridge and its port", host: "bridged", address: "10.78.1.1", interfaces: ["eth0", "bridge0"] },
  { name: "the tap of all links", host: "bridged-any", address: "10.78.2.1", interfaces: ["any"] },
] as const;

beforeAll(async () => {
  world = await World.build("steps-twice", ["client", ...doubled.map(({ host }) => host)]);
  client = world.host("client");
  await client.expect("ip", ["address", "add", "10.78.1.2/24", "dev", client.link]);
  await client.expect("ip", ["address", "add", "10.78.2.2/24", "dev", client.link]);
}, 30_000);

afterAll(() => world.remove());

describe.each(doubled)("a packet that is seen by $name", ({ host, address, interfaces }) => {
  let agent: AgentProcess;

  beforeAll(async () => {
    const gate = world.host(host);
    await bridge(gate, address);
    await gate.serve(["2311/tcp"]);
    const args = interfaces.flatMap((name) => ["--interface", name]);
    agent = await AgentProcess.start(world, gate, { policies, args });
  }, 30_000);

  test("counts once, and the door opens once", async () => {
    await client.knock(address, ["8881/tcp", "7361/udp", "9191/tcp"]);
    await agent.process.waitForLine(/grant-added.*bastion\/plain/);
    expect(await client.connect(address, 2311)).toBe("open");
    await eventually(async () => (await duplicates()) === 3, { what: "three packets to be seen twice" });
    expect(await outcomes()).toEqual({ advanced: 2, completed: 1 });
  });

  test("is not the repeated step that a sequence asks for", async () => {
    const before = await duplicates();
    await client.knock(address, ["8882/tcp", "7362/tcp"]);
    await eventually(async () => (await duplicates()) === before + 2, { what: "two packets to be seen twice" });
    expect(agent.process.text).not.toMatch(/grant-added.*bastion\/twice/);
    await client.knock(address, ["8882/tcp", "8882/tcp", "7362/tcp"]);
    await agent.process.waitForLine(/grant-added.*bastion\/twice/);
    expect(agent.process.text).not.toContain("grant-renewed");
  });

  async function duplicates(): Promise<number> {
    return (await agent.metric('knockgate_decode_discarded_packets_total{reason="duplicate"}')) ?? -1;
  }

  /** How many knocks had which outcome, without those that none had. */
  async function outcomes(): Promise<Record<string, number>> {
    const { body } = await agent.http("/metrics");
    const counts: Record<string, number> = {};
    for (const [, outcome, count] of body.matchAll(/^knockgate_knocks_total\{.*outcome="(\w+)".*\} (\d+)$/gm)) {
      if (outcome !== undefined && Number(count) > 0) counts[outcome] = (counts[outcome] ?? 0) + Number(count);
    }
    return counts;
  }
});

/** Makes the host's link a port of a bridge, which takes its address. */
async function bridge(host: Host, address: string): Promise<void> {
  const script = [
    "ip link add bridge0 type bridge",
    `ip link set bridge0 address ${host.mac} up`,
    `ip link set ${host.link} master bridge0`,
    `ip address add ${address}/24 dev bridge0`,
  ];
  await host.expect("sh", ["-ec", script.join("\n")]);
}

function policy(name: string, steps: string, port: number): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps}] }
  opens: { ports: [${port}], for: 5m }
`;
}
