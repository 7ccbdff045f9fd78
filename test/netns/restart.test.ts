import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { DoorWatch } from "./door-watch.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [22], for: 300s }
`;

interface Row {
  readonly source: string;
  readonly port: string;
  readonly sequences: readonly string[];
  readonly leftSeconds: number;
}

let world: World;
let gate: Host;
let alice: Host;
let stranger: Host;
let agent: AgentProcess;

beforeEach(async () => {
  world = await World.build("restart", ["gate", "alice", "stranger"]);
  [gate, alice, stranger] = [world.host("gate"), world.host("alice"), world.host("stranger")];
  await gate.serve(["22/tcp"]);
  agent = await AgentProcess.start(world, gate, { policies });
  await alice.knock(gate.ipv4, steps);
  await agent.process.waitForLine("grant-added");
}, 30_000);

afterEach(async () => {
  await world.remove();
});

test.each([
  { name: "killed and started again", end: "SIGKILL", args: [], before: [] },
  { name: "ended and started again", end: "SIGTERM", args: [], before: [] },
  {
    name: "upgraded from one that loaded another table",
    end: "SIGTERM",
    args: ["--max-grants", "4096"],
    before: [
      "add chain inet knockgate gate_of_old { type filter hook prerouting priority -170; policy accept; }",
      "add set inet knockgate old { type ipv4_addr; }",
      "add rule inet knockgate gate_of_old ip saddr @old drop",
      "insert rule inet knockgate gate meta mark 7 return",
    ],
  },
] as const)(
  "an agent $name lets no stranger in at any moment, and keeps grants for what is left of their time",
  async ({ end, args, before }) => {
    const asked = performance.now();
    const [granted] = await grants();
    const answered = performance.now();
    expect(granted).toMatchObject({ source: alice.ipv4, port: "22/tcp", sequences: ["bastion/ssh"] });
    const [kept, lost] = await Promise.all([
      DoorWatch.start(alice, gate.ipv4, 22, "open"),
      DoorWatch.start(stranger, gate.ipv4, 22, "silent"),
    ]);
    await agent.process.stop(end);
    if (before.length > 0) await gate.expect("nft", ["-f", "-"], { input: `${before.join("\n")}\n` });
    agent = await AgentProcess.start(world, gate, { folder: agent.folder, args });
    const askedAgain = performance.now();
    const rows = await grants();
    const answeredAgain = performance.now();
    const [open, silent] = await Promise.all([kept.stop(), lost.stop()]);
    const met = { whoKnocked: Object.keys(open), stranger: Object.keys(silent) };
    expect(met).toEqual({ whoKnocked: ["open"], stranger: ["silent"] });
    expect(silent.silent).toBeGreaterThan(20);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ source: alice.ipv4, port: "22/tcp", sequences: ["bastion/ssh"] });
    const usedSeconds = (granted?.leftSeconds ?? 0) - (rows[0]?.leftSeconds ?? 0);
    expect(usedSeconds).toBeGreaterThan((askedAgain - answered) / 1000 - 0.25);
    expect(usedSeconds).toBeLessThan((answeredAgain - asked) / 1000 + 0.25);
    const [element = "", ...others] = await agent.elements("granted4");
    expect(others).toEqual([]);
    expect(await agent.table()).not.toContain("gate_of_old");
    const [, minutes, seconds] = /expires (\d+)m(?:(\d+)s)?/.exec(element) ?? [];
    const sinceSeconds = (rows[0]?.leftSeconds ?? 0) - (Number(minutes) * 60 + Number(seconds ?? 0));
    expect(sinceSeconds).toBeGreaterThan(-1);
    expect(sinceSeconds).toBeLessThan((performance.now() - askedAgain) / 1000 + 2);
  },
  40_000,
);

async function grants(): Promise<readonly Row[]> {
  return JSON.parse((await agent.cli("grants", "-o", "json")).stdout) as Row[];
}
