import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { disclosures } from "./disclosure.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { nmapScan } from "./nmap-scan.ts";
import { Sniffer } from "./sniffer.ts";
import { World } from "./world.ts";

/** Clients that knock by trying to connect, under `--default-drop`: nobody answers, so their kernels send again and again. */
const door = ["17312", "18845", "19127"];
const waiting = ["17313", "18846", "19128"];
const marker = ["17314/udp", "18847/udp", "19129/udp"];

let world: World;
let gate: Host;
let client: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("again", ["gate", "client"]);
  [gate, client] = [world.host("gate"), world.host("client")];
  await client.expect("sysctl", ["-eqw", "net.ipv4.tcp_syn_linear_timeouts=0"]); // since Linux 6.5 the first retries come faster
  await gate.serve(["2201/tcp", "2202/tcp"]);
  const policies = [policy("door", door, 2201), policy("waiting", waiting, 2202), policy("marker", marker, 2203)];
  const args = ["--default-drop", "--serve", "2198/tcp"];
  agent = await AgentProcess.start(world, gate, { policies: policies.join("---\n"), args });
});
afterAll(() => world.remove());

test("nmap once per step opens a door", async () => {
  const from = agent.process.lines.length;
  const sniffer = await Sniffer.start(gate, "tcp[tcpflags] = tcp-syn", { direction: "in" });
  for (const step of door) {
    const { states } = await nmapScan(client, gate.ipv4, ["-p", step]);
    expect([...states.values()]).toEqual(["filtered"]);
  }
  await agent.process.waitForLine(/grant-added.*bastion\/door/, { from });
  expect(await client.connect(gate.ipv4, 2201)).toBe("open");
  const seen = await sniffer.stop();
  for (const step of door) expect(sourcePorts(seen, step).size).toBeGreaterThan(1);
  expect(await grantsSince(from)).toEqual(["grant-added door"]);
});

test("SYNs that are sent again for 15 s yield one grant and no renewal", async () => {
  const from = agent.process.lines.length;
  const sniffer = await Sniffer.start(gate, "tcp[tcpflags] = tcp-syn", { direction: "in" });
  const attempts = [];
  for (const step of waiting) {
    attempts.push(client.connect(gate.ipv4, Number(step), { timeoutMs: 18_000 }));
    await sniffer.waitFor(`.${step}: `);
  }
  const allSent = async () => waiting.every((step) => secondsBetween(sniffer.packets, step) > 14);
  await eventually(allSent, { what: "SYNs sent again for 15 seconds", timeoutMs: 25_000, everyMs: 100 });
  const seen = await sniffer.stop();
  for (const step of waiting) {
    expect(sourcePorts(seen, step).size).toBe(1);
    expect(seen.filter((line) => line.includes(`.${step}: `)).length).toBeGreaterThanOrEqual(4);
  }
  expect(await grantsSince(from)).toEqual(["grant-added waiting"]);
  expect(await Promise.all(attempts)).toEqual(waiting.map(() => "silent"));
  expect(await client.connect(gate.ipv4, 2202)).toBe("open");
}, 60_000);

test("neither log nor metrics nor status hold a step; metrics and status hold no source", async () => {
  expect(await disclosures(agent, [...door, ...waiting, ...marker], [client])).toEqual([]);
});

/** All grants that were reported before that of a knock made now, for packets are taken in their order. */
async function grantsSince(from: number): Promise<readonly string[]> {
  const before = agent.process.lines.length;
  await client.knock(gate.ipv4, marker);
  await agent.process.waitForLine(/grant-(added|renewed).*bastion\/marker/, { from: before });
  const lines = agent.process.lines.slice(from);
  const grants = lines.flatMap((line) => /"(grant-\w+)".*bastion\/(\w+)"/.exec(line)?.slice(1).join(" ") ?? []);
  return grants.filter((grant) => !grant.endsWith(" marker"));
}

function sourcePorts(packets: readonly string[], step: string): ReadonlySet<string | undefined> {
  const sent = packets.filter((line) => line.includes(`.${step}: `));
  return new Set(sent.map((line) => /\.(\d+) > /.exec(line)?.[1]));
}

function secondsBetween(packets: readonly string[], step: string): number {
  const times = packets.filter((line) => line.includes(`.${step}: `)).map((line) => Number(line.split(" ")[0]));
  return Math.max(...times) - Math.min(...times);
}

function policy(name: string, steps: readonly string[], port: number): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}], within: 15s }
  opens: { ports: [${port}], for: 60s }
`;
}
