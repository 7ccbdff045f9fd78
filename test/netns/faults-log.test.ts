import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { RunningProcess } from "./running-process.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];

let world: World;
let gate: Host;
let alice: Host;

beforeEach(async () => {
  world = await World.build("faultlog", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["3001/tcp"]);
}, 30_000);

afterEach(async () => {
  await world.remove();
});

test("slow log consumer: a knock is granted while nobody reads, lost lines are counted, and told when he reads again", async () => {
  const { agent, reader } = await agentReadBy(chatty(200));
  reader.signal("SIGSTOP");
  await linesAreLost(agent);
  await expectDoorOpens(agent);
  expect((await agent.http("/readyz")).status).toBe(200);
  reader.signal("SIGCONT");
  const told = async () => {
    agent.process.signal("SIGHUP");
    return reader.lines.some((line) => line.includes('"log-lines-dropped"'));
  };
  await eventually(told, { what: "the loss to be told", everyMs: 200 });
  const broken = reader.lines.filter((line) => !line.startsWith("{") || !line.endsWith("}"));
  expect(broken).toEqual([]);
}, 60_000);

test("log consumer that never reads: the agent ends all the same when it is told to", async () => {
  const { agent, reader } = await agentReadBy(chatty(200));
  reader.signal("SIGSTOP");
  await linesAreLost(agent);
  expect((await agent.stop()).code).toBe(0);
  await reader.stop("SIGKILL");
}, 60_000);

test("dead log consumer: a knock is granted after its end, and every line is counted as lost", async () => {
  const { agent, reader } = await agentReadBy(chatty(1));
  await reader.stop("SIGKILL");
  await linesAreLost(agent);
  await expectDoorOpens(agent);
  expect(JSON.parse((await agent.http("/statusz")).body).logLinesDropped).toBeGreaterThan(0);
}, 30_000);

test("stdout and stderr closed from the start: a knock is granted, and it ends as it should", async () => {
  const through = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"];
  const agent = await AgentProcess.start(world, gate, { policies: chatty(1), through });
  await expectDoorOpens(agent);
  expect((await agent.stop()).code).toBe(0);
}, 30_000);

/** An agent whose output goes to a reader of its own. */
async function agentReadBy(policies: string): Promise<{ agent: AgentProcess; reader: RunningProcess }> {
  const pipe = join(world.folder, "log");
  await gate.expect("mkfifo", [pipe]);
  const reader = gate.start("cat", [pipe]);
  const through = ["sh", "-c", 'pipe=$1; shift; exec "$@" > "$pipe" 2>&1', "sh", pipe];
  const agent = await AgentProcess.start(world, gate, { policies, through });
  await reader.waitForLine('"agent-ready"');
  return { agent, reader };
}

/** Makes the agent say much, again and again, until some of it is dropped. */
async function linesAreLost(agent: AgentProcess): Promise<void> {
  const lost = async () => {
    agent.process.signal("SIGHUP");
    return ((await agent.metric("knockgate_log_lines_dropped_total")) ?? 0) > 0;
  };
  await eventually(lost, { what: "lines to be dropped", everyMs: 50, timeoutMs: 30_000 });
}

async function expectDoorOpens(agent: AgentProcess): Promise<void> {
  await alice.knock(gate.ipv4, steps);
  const granted = async () => (await agent.elements("granted4")).length > 0;
  await eventually(granted, { what: "the grant" });
  expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
}

/** A policy, and others of one step each: every reload warns of each of them, so that much is logged. */
function chatty(count: number): string {
  const weak = Array.from({ length: count }, (_, at) => policy(`weak-${at}`, [`${20_000 + at * 20}/udp`], 4000 + at));
  return [policy("door", steps, 3001), ...weak].join("---\n");
}

function policy(name: string, knock: readonly string[], port: number): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: faults }
spec:
  knock: { steps: [${knock.join(", ")}], decoys: 0 }
  opens: { ports: [${port}], for: 60s }
`;
}
