import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { disclosures } from "./disclosure.ts";
import type { Host } from "./host.ts";
import { nmapScan, type ScanReport } from "./nmap-scan.ts";
import { World } from "./world.ts";

interface Door {
  readonly name: string;
  readonly steps: readonly string[];
  readonly port: number;
}

/** Round and even steps that ascend: the worst that still is no stride. Each port is one of those scanners try first. */
const ascending: readonly Door[] = [
  { name: "round", steps: ["7000", "8000", "9000"], port: 22_201 },
  { name: "uneven", steps: ["7100", "8350", "9020"], port: 22_202 },
  { name: "datagrams", steps: ["7000/udp", "8000/udp", "9000/udp"], port: 22_203 },
];
/** Five steps each: in random order a scan finds three of them once in a few thousand passes, so no test can ask for it. */
const long: readonly Door[] = [
  { name: "usual", steps: ["9090", "1433", "8080", "5900", "3306"], port: 22_201 },
  { name: "far", steps: ["61234", "42017", "33789", "57001", "24680"], port: 22_202 },
  { name: "datagrams", steps: ["8123/udp", "7011/udp", "8844/udp", "7456/udp", "7789/udp"], port: 22_203 },
];
const contiguous: readonly Door[] = [{ name: "careless", steps: ["7000", "7001", "7002"], port: 22_201 }];

let world: World;
let scanner: Host;
const agents = new Map<readonly Door[], { readonly host: Host; readonly agent: AgentProcess }>();

beforeAll(async () => {
  world = await World.build("scan", ["scanner", "ascending", "long", "contiguous"]);
  scanner = world.host("scanner");
  for (const [name, doors] of Object.entries({ ascending, long, contiguous })) {
    const host = world.host(name);
    // Answers to datagrams are not held back, so that a scan of UDP ports takes a second.
    const unlimited = [
      "net.ipv4.icmp_ratelimit=0",
      "net.ipv4.icmp_msgs_per_sec=100000",
      "net.ipv4.icmp_msgs_burst=100000",
      "net.ipv6.icmp.ratelimit=0",
    ];
    await host.expect("sysctl", ["-qw", ...unlimited]);
    await host.serve(doors.map(({ port }) => `${port}/tcp`));
    const agent = await AgentProcess.start(world, host, { policies: doors.map(policy).join("---\n") });
    agents.set(doors, { host, agent });
  }
}, 60_000);
afterAll(() => world.remove());

const fast = ["-T5", "--min-rate", "10000"];
const retries = ["--max-retries", "2"];
const everyPort = ["-p-"];
/** As many as nmap takes in one argument. */
const evenPorts = ["-p", Array.from({ length: 20_000 }, (_, at) => 2 * at + 2).join(",")];
const usualPorts = ["--top-ports", "1000"];
const knockRange = ["-p", "6900-9100,22203"];
const inOrder = ["-r"];

describe.each([
  ["SYN", "-sS"],
  ["connect", "-sT"],
])("a %s scan", (_, technique) => {
  test("of all ports, ascending, opens no door and shows nothing special; a knock right after it does", async () => {
    const report = await opensNothing(ascending, [technique, ...inOrder, ...everyPort]);
    expect([...report.states]).toEqual(ascending.map(({ port }) => [`${port}/tcp`, "filtered"]));
    expect(report.others).toBe(`closed (${65_535 - 3})`);
  });

  test.each([
    ["even ports, ascending", evenPorts],
    ["the usual ports, ascending", usualPorts],
  ])("of %s, opens no door; a knock right after it does", async (_, ports) => {
    await opensNothing(ascending, [technique, ...inOrder, ...ports]);
  });

  test.each([
    ["all ports", everyPort],
    ["the usual ports", usualPorts],
  ])("of %s in random order opens no door of five steps; a knock right after it does", async (_, ports) => {
    await opensNothing(long, [technique, ...ports]);
  });
});

test("an ascending scan over IPv6 opens no door; a knock right after it does", async () => {
  await opensNothing(ascending, ["-sS", ...inOrder, ...everyPort], "ipv6");
});

test("a UDP scan over the knock range opens no door; a knock right after it does", async () => {
  const report = await opensNothing(ascending, ["-sU", ...inOrder, ...knockRange]);
  expect([...report.states]).toEqual([["22203/udp", "open|filtered"]]);
  expect(report.others).toBe("closed (2201)");
  await opensNothing(long, ["-sU", ...knockRange]);
});

test("knock ports, decoys and unused ports look alike to a closer look", async () => {
  const closer = ["-sS", "-sV", "--reason", "-p", "6999-7001,7998-8001,8999-9001,61001"];
  const stdout = await scanner.expect("nmap", ["-n", "-Pn", "-T5", "-vv", ...closer, at(ascending).host.ipv4]);
  const rows = [...stdout.matchAll(/^\d+\/tcp +(\S+) +\S+ +(.*?)$/gm)].map(([, state, reason]) => `${state} ${reason}`);
  expect(rows).toHaveLength(11);
  expect(new Set(rows)).toEqual(new Set(["closed reset ttl 64"]));
});

test("contiguous steps are warned of, and an ascending scan does open them", async () => {
  const { host, agent } = at(contiguous);
  const checked = await agent.cli("check", join(agent.folder, "config"));
  expect(checked.code).toBe(0);
  expect(checked.stdout + checked.stderr).toContain("steps-contiguous");
  const from = agent.process.lines.length;
  await nmapScan(scanner, host.ipv4, ["-sS", ...fast, "--max-retries", "0", ...inOrder, "-p", "6000-8000"]);
  expect(await agent.process.waitForLine(/grant-added/, { from })).toContain("bastion/careless");
  expect(await scanner.connect(host.ipv4, 22_201)).toBe("open");
});

test("neither log nor metrics nor status hold a step; metrics and status hold no source", async () => {
  for (const [doors, { agent }] of agents) {
    const steps = doors.flatMap(({ steps }) => steps);
    expect(await disclosures(agent, steps, [scanner])).toEqual([]);
  }
});

/** Scans, then knocks at every door: the agent, which takes packets in their order, grants the knocks and nothing else. */
async function opensNothing(
  doors: readonly Door[],
  args: readonly string[],
  family: "ipv4" | "ipv6" = "ipv4",
): Promise<ScanReport> {
  const { host, agent } = at(doors);
  const from = agent.process.lines.length;
  const advanced = await knocksThatAdvanced(agent);
  const report = await nmapScan(scanner, host[family], [...fast, ...retries, ...args]);
  for (const { name, steps } of doors) {
    await scanner.knock(host[family], steps);
    await agent.process.waitForLine(new RegExp(`grant-(added|renewed).*bastion/${name}"`), { from });
  }
  const grants = agent.process.lines.slice(from).flatMap((line) => /grant-\w+.*bastion\/\w+/.exec(line)?.[0] ?? []);
  expect(grants.map((grant) => grant.replace(/".*\//, " "))).toEqual(doors.map(({ name }) => `grant-added ${name}`));
  const byKnocks = doors.reduce((sum, { steps }) => sum + steps.length - 1, 0);
  expect((await knocksThatAdvanced(agent)) - advanced).toBeGreaterThan(byKnocks);
  for (const { port, name } of doors)
    if (name !== "datagrams") expect(await scanner.connect(host[family], port)).toBe("open");
  expect((await agent.cli("revoke", scanner[family])).code).toBe(0);
  return report;
}

function at(doors: readonly Door[]): { readonly host: Host; readonly agent: AgentProcess } {
  const found = agents.get(doors);
  if (found === undefined) throw new Error("nobody guards these doors");
  return found;
}

async function knocksThatAdvanced(agent: AgentProcess): Promise<number> {
  const { body } = await agent.http("/metrics");
  const values = [...body.matchAll(/^knockgate_knocks_total\{.*outcome="advanced".*\} (\d+)$/gm)];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

function policy({ name, steps, port }: Door): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps.map((step) => (step.includes("/") ? step : `${step}/tcp`)).join(", ")}] }
  opens: { ports: [${port}/tcp${name === "datagrams" ? `, ${port}/udp` : ""}], for: 60s }
`;
}
