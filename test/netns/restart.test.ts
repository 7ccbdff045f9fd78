import { afterAll, beforeAll, expect, test } from "vitest";
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

beforeAll(async () => {
  world = await World.build("restart", ["gate", "alice", "stranger"]);
  [gate, alice, stranger] = [world.host("gate"), world.host("alice"), world.host("stranger")];
  await gate.serve(["22/tcp"]);
  agent = await AgentProcess.start(world, gate, { policies });
  await alice.knock(gate.ipv4, steps);
  await agent.process.waitForLine("grant-added");
}, 30_000);

afterAll(async () => {
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
    const [granted] = await grants();
    const askedAt = performance.now();
    expect(granted).toMatchObject({ source: alice.ipv4, port: "22/tcp", sequences: ["bastion/ssh"] });
    const [kept, lost] = await Promise.all([
      DoorWatch.start(alice, gate.ipv4, 22, "open"),
      DoorWatch.start(stranger, gate.ipv4, 22, "silent"),
    ]);
    await agent.process.stop(end);
    if (before.length > 0) await gate.expect("nft", ["-f", "-"], { input: `${before.join("\n")}\n` });
    agent = await AgentProcess.start(world, gate, { folder: agent.folder, args });
    const rows = await grants();
    const passedSeconds = (performance.now() - askedAt) / 1000;
    const [open, silent] = await Promise.all([kept.stop(), lost.stop()]);
    expect(Object.keys(open)).toEqual(["open"]);
    expect(Object.keys(silent)).toEqual(["silent"]);
    expect(silent.silent).toBeGreaterThan(20);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ source: alice.ipv4, port: "22/tcp", sequences: ["bastion/ssh"] });
    const lostSeconds = (granted?.leftSeconds ?? 0) - passedSeconds - (rows[0]?.leftSeconds ?? 0);
    expect(Math.abs(lostSeconds)).toBeLessThan(1);
    expect(await agent.elements("granted4")).toHaveLength(1);
    expect(await agent.table()).not.toContain("gate_of_old");
    const leftInKernel = /expires (\d+)m(\d+)s/.exec((await agent.elements("granted4"))[0] ?? "");
    expect(
      Math.abs(Number(leftInKernel?.[1]) * 60 + Number(leftInKernel?.[2]) - (rows[0]?.leftSeconds ?? 0)),
    ).toBeLessThan(3);
  },
  40_000,
);

async function grants(): Promise<readonly Row[]> {
  return JSON.parse((await agent.cli("grants", "-o", "json")).stdout) as Row[];
}
