import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { millisecondsUntil } from "./log-time.ts";
import { childOf } from "./process-usage.ts";
import { SlowChild } from "./slow-child.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const door = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: faults }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [3001], for: 60s }
`;

let world: World;
let gate: Host;
let alice: Host;

beforeEach(async () => {
  world = await World.build("faultcap", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["3001/tcp"]);
}, 30_000);

afterEach(async () => {
  await world.remove();
});

describe("capture child", () => {
  test.each([
    { fault: "killed", signal: "SIGKILL", cause: "killed" },
    { fault: "hung", signal: "SIGSTOP", cause: "hung" },
    { fault: "ended by a fault of its own", signal: "SIGSEGV", cause: "crash" },
  ] as const)("$fault: not ready, replaced within 2 s, counted, and knocks work", async ({ signal, cause }) => {
    const child = new SlowChild(world.folder);
    const agent = await AgentProcess.start(world, gate, { policies: door, program: child.program });
    const before = captureChild(agent);
    const from = agent.process.lines.length;
    const faultAt = Date.now();
    process.kill(before, signal);
    const begun = millisecondsUntil(await agent.process.waitForLine('"capture-restarted"', { from }), faultAt);
    const capturing = millisecondsUntil(await agent.process.waitForLine('"capture-started"', { from }), faultAt);
    console.log(`${signal}: another child was started after ${begun} ms and captured after ${capturing} ms`);
    expect(begun).toBeLessThan(2000); // how long it then takes to start is the machine's affair
    expect((await agent.http("/readyz")).status).toBe(200);
    expect(captureChild(agent)).not.toBe(before);
    expect(await restarts(agent, cause)).toBe(1);
    await expectDoorOpens(agent);
    child.behave("waits");
    process.kill(captureChild(agent), signal);
    const refusal = await eventually(() => notReady(agent), { what: "/readyz to say so" });
    expect(refusal).toMatch(/capture: no interface is tapped: The capture child .*Another one follows/);
    child.behave("works");
    await agent.ready();
    await expectDoorOpens(agent);
  });

  test("crashing in a loop: tried again with growing pauses, not ready, and well when it stops", async () => {
    const child = new SlowChild(world.folder);
    const agent = await AgentProcess.start(world, gate, { policies: door, program: child.program });
    child.behave("crashes");
    process.kill(captureChild(agent), "SIGKILL");
    const crashes = () => agent.process.lines.filter((line) => line.includes("ended with code 3"));
    await eventually(async () => crashes().length >= 5, { what: "five crashes" });
    const times = crashes().map((line) => millisecondsUntil(line, 0));
    const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    for (const [at, leastMs] of [200, 400, 800, 1600].entries()) expect(pauses[at]).toBeGreaterThanOrEqual(leastMs - 1);
    await expect(notReady(agent)).resolves.toMatch(/capture: .*ended with code 3/);
    expect(await restarts(agent, "crash")).toBeGreaterThanOrEqual(4);
    expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
    child.behave("works");
    await agent.ready();
    await expectDoorOpens(agent);
  }, 40_000);
});

describe("link", () => {
  test("down and up: knocks work again, and what is missing is said meanwhile", async () => {
    const agent = await AgentProcess.start(world, gate, { policies: door, args: ["--interface", "eth0"] });
    await gate.expect("ip", ["link", "set", "eth0", "down"]);
    await eventually(async () => (await notReady(agent))?.includes("waiting for interface eth0"), {
      what: "not ready",
    });
    await gate.expect("ip", ["link", "set", "eth0", "up"]);
    await agent.ready();
    await expectDoorOpens(agent);
  }, 30_000);

  test("that does not exist yet, is deleted and made again: the others are captured, knocks count as soon as it is there", async () => {
    const args = ["--interface", "eth0", "--interface", "late0"];
    const agent = AgentProcess.launch(world, gate, { policies: door, args });
    const waiting = async () => (await notReady(agent))?.includes("capture: waiting for interface late0");
    await eventually(waiting, { what: "late0 to be named" });
    await agent.process.waitForLine(/"capture-started".*\["eth0"\]/);
    await agent.process.waitForLine(/"capture-waiting".*\["late0"\]/);
    await expectDoorOpens(agent);
    for (const round of [1, 2]) {
      await makeLateLink();
      await agent.ready();
      expect(await agent.metric('knockgate_capture_up{interface="late0"}')).toBe(1);
      await agent.cli("revoke", "10.78.0.2");
      await expectDoorOpens(agent, "10.78.0.1");
      await gate.expect("ip", ["link", "del", "late0"]);
      await eventually(waiting, { what: `late0 to be missed, round ${round}` });
      expect(await agent.metric('knockgate_capture_up{interface="late0"}')).toBe(0);
    }
  }, 40_000);

  test("that alone is to be captured and is not there: the agent starts, guards, and waits", async () => {
    const agent = AgentProcess.launch(world, gate, { policies: door, args: ["--interface", "late0"] });
    await eventually(async () => (await notReady(agent)) === "capture: waiting for interface late0", {
      what: "it to wait",
    });
    expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
    await makeLateLink();
    await agent.ready();
    await expectDoorOpens(agent, "10.78.0.1");
  }, 30_000);
});

/** A second link between the two, with addresses of its own. */
async function makeLateLink(): Promise<void> {
  await gate.expect("ip", ["link", "add", "late0", "type", "veth", "peer", "name", "late0", "netns", alice.namespace]);
  for (const [host, address] of [
    [gate, "10.78.0.1/24"],
    [alice, "10.78.0.2/24"],
  ] as const) {
    await host.expect("ip", ["address", "add", address, "dev", "late0"]);
    await host.expect("ip", ["link", "set", "late0", "up"]);
  }
}

function captureChild(agent: AgentProcess): number {
  return childOf(agent.process.pid, "capture-child");
}

function restarts(agent: AgentProcess, cause: string): Promise<number | undefined> {
  return agent.metric(`knockgate_capture_restarts_total{cause="${cause}"}`);
}

/** What `/readyz` finds wrong; undefined when nothing, or when nobody answers. */
async function notReady(agent: AgentProcess): Promise<string | undefined> {
  const { status, body } = await agent.http("/readyz");
  return status === 503 ? (JSON.parse(body) as { failures: string[] }).failures.join("; ") : undefined;
}

async function expectDoorOpens(agent: AgentProcess, address = gate.ipv4): Promise<void> {
  const from = agent.process.lines.length;
  await alice.knock(address, steps);
  await agent.process.waitForLine(/grant-(added|renewed)/, { from });
  expect(await alice.connect(address, 3001)).toBe("open");
}
