import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { DoorWatch } from "./door-watch.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { millisecondsUntil } from "./log-time.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [22], for: 300s }
`;

let world: World;
let gate: Host;
let alice: Host;
let stranger: Host;
let first: AgentProcess;

beforeEach(async () => {
  world = await World.build("second", ["gate", "alice", "stranger"]);
  [gate, alice, stranger] = [world.host("gate"), world.host("alice"), world.host("stranger")];
  await gate.serve(["22/tcp"]);
  first = await AgentProcess.start(world, gate, { policies });
  await alice.knock(gate.ipv4, steps);
  await first.process.waitForLine("grant-added");
}, 30_000);

afterEach(async () => {
  await world.remove();
});

test.each(["SIGTERM", "SIGKILL"] as const)(
  "a second agent with a state directory of its own waits, says for whom, and takes over within a second when the first ends by %s",
  async (signal) => {
    const [kept, lost] = await Promise.all([
      DoorWatch.start(alice, gate.ipv4, 22, "open"),
      DoorWatch.start(stranger, gate.ipv4, 22, "silent"),
    ]);
    const took: number[] = [];
    for (const port of [9781, 9782, 9783]) {
      const second = AgentProcess.launch(world, gate, { policies, port });
      const line = await second.process.waitForLine("agent-waiting");
      expect(line).toContain(`waiting for the agent with pid ${first.process.pid} to end`);
      const waiting = await second.http("/readyz");
      expect(waiting.status).toBe(503);
      expect(waiting.body).toContain(`waiting for the agent with pid ${first.process.pid} to end`);
      const endedAt = Date.now();
      first.process.signal(signal);
      took.push(millisecondsUntil(await second.process.waitForLine('"agent-ready"'), endedAt));
      await first.process.ended;
      const rows = JSON.parse((await second.cli("grants", "-o", "json")).stdout) as { source: string }[];
      expect(rows.map(({ source }) => source)).toEqual([alice.ipv4]);
      first = second;
    }
    console.log(`ready ${took.join(", ")} ms after ${signal} was sent to the first`);
    expect(Math.min(...took)).toBeLessThan(1000); // the quickest: a machine may be busy once
    const [open, silent] = await Promise.all([kept.stop(), lost.stop()]);
    const met = { whoKnocked: Object.keys(open), stranger: Object.keys(silent) };
    expect(met).toEqual({ whoKnocked: ["open"], stranger: ["silent"] });
  },
  30_000,
);

test("a second agent with the same HTTP port and socket waits as well, and takes over both", async () => {
  const second = AgentProcess.launch(world, gate, { folder: first.folder });
  await second.process.waitForLine("agent-waiting");
  expect((await first.http("/readyz")).status).toBe(200);
  await first.kill();
  await second.process.waitForLine("agent-ready");
  expect((await second.http("/readyz")).status).toBe(200);
  expect((await second.cli("grants")).stdout).toContain(alice.ipv4);
}, 30_000);

test("a second agent that is told to end while it waits ends, and the first goes on", async () => {
  const second = AgentProcess.launch(world, gate, { policies, port: 9781 });
  await second.process.waitForLine("agent-waiting");
  expect(await second.stop()).toMatchObject({ code: 0 });
  expect((await first.http("/readyz")).status).toBe(200);
});

test("an unprivileged user who holds the lock's name keeps no agent from its work", async () => {
  await first.kill();
  const name = `\\0${"knockgate-agent".padEnd(107, ".")}`;
  const script = `require("net").createServer().listen({ path: "${name}" }, () => console.log("held"))`;
  const holder = gate.start("setpriv", ["--reuid=1000", "--clear-groups", process.execPath, "-e", script]);
  await holder.waitForLine("held");
  const agent = await AgentProcess.start(world, gate, { folder: first.folder });
  expect(agent.process.text).toMatch(/agent-warned.*unprivileged user 1000 holds the name/);
  await eventually(async () => (await agent.elements("granted4")).length === 1, { what: "the grant" });
}, 30_000);
