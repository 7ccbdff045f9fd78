import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { childOf } from "./process-usage.ts";
import { World } from "./world.ts";

const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: faults }
spec:
  knock: { steps: [8845/tcp, 7312/udp, 9127/tcp] }
  opens: { ports: [3001], for: 60s }
`;

let world: World;
let gate: Host;
let agent: AgentProcess;

beforeEach(async () => {
  world = await World.build("signals", ["gate", "alice"]);
  gate = world.host("gate");
  agent = await AgentProcess.start(world, gate, { policies });
}, 30_000);

afterEach(() => world.remove());

test("an agent that is killed leaves no process behind", async () => {
  const children = ["capture-child", "monitor"].map((word) => childOf(agent.process.pid, word));
  await agent.kill();
  await eventually(async () => !children.some(isRunning), { what: "its children to end" });
});

test("an agent that is told to end twice ends at once, and the table stays", async () => {
  const child = childOf(agent.process.pid, "capture-child");
  process.kill(child, "SIGSTOP"); // so that ending in good order takes a while
  agent.process.signal("SIGTERM");
  await agent.process.waitForLine('"agent-stopping"');
  agent.process.signal("SIGTERM");
  expect(await agent.process.ended).toEqual({ code: undefined, signal: "SIGTERM" });
  process.kill(child, "SIGKILL");
  expect(await agent.elements("guarded")).toEqual(["tcp . 3001"]);
});

test("SIGUSR1, which makes Node open its debugger to every local user, does nothing", async () => {
  for (const pid of [agent.process.pid, childOf(agent.process.pid, "capture-child")]) process.kill(pid, "SIGUSR1");
  await pause(500); // whatever would listen does so within this time
  const listening = await gate.expect("ss", ["-Hltn"]);
  expect(listening.trim().split("\n")).toEqual([expect.stringContaining("127.0.0.1:9780")]);
  expect(agent.process.text).not.toContain("Debugger");
  expect((await agent.http("/readyz")).status).toBe(200);
});

/** A process that has ended and that nobody has asked about yet has no command line. */
function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1") !== "";
  } catch {
    return false;
  }
}
