import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import { type Host, programPath } from "./host.ts";
import { World } from "./world.ts";

/** The whole count takes minutes: KNOCKGATE_LONG=1 asks for it. */
const isLong = process.env.KNOCKGATE_LONG === "1";
const reloads = isLong ? 1000 : 150;
const restarts = isLong ? 100 : 10;

interface Census {
  readonly descriptors: number;
  readonly timers: number;
  readonly heapKiB: number;
  readonly residentKiB: number;
}

let world: World;
let gate: Host;
let agent: AgentProcess;
let file: string;

beforeAll(async () => {
  world = await World.build("leaks", ["gate", "alice"]);
  gate = world.host("gate");
  file = join(world.folder, "census");
  const env = { NODE_OPTIONS: `--import ${programPath("census.mjs")}`, CENSUS_FILE: file };
  agent = await AgentProcess.start(world, gate, { policies: policy(60, 8845), env });
}, 30_000);

afterAll(async () => {
  await world.remove();
});

test(`file descriptors, memory and timers are flat after ${reloads} reloads and ${restarts} child restarts`, async () => {
  for (let round = 0; round < 20; round++) await reload(100 + round, 8845); // what is made once is made now
  await restart(9000);
  const before = await census();
  for (let round = 0; round < reloads; round++) await reload(200 + round, 9000);
  for (let round = 0; round < restarts; round++) await restart(9100 + round);
  const after = await census();
  console.log(`after ${reloads} reloads and ${restarts} restarts: ${show(before)} -> ${show(after)}`);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
  expect(after.timers).toBeLessThanOrEqual(before.timers + 5);
  expect(after.heapKiB).toBeLessThan(before.heapKiB * 1.25 + 1024);
  await agent.ready();
}, 900_000);

/** Another duration: the whole way through compile, table and tracker, with the capture as it is. */
async function reload(seconds: number, port: number): Promise<void> {
  const from = agent.process.lines.length;
  agent.writePolicy("policies.yaml", policy(seconds, port));
  agent.process.signal("SIGHUP");
  await agent.process.waitForLine('"config-accepted"', { from });
}

/** Another step: another filter, so another child. */
async function restart(port: number): Promise<void> {
  const before = (await childRestarts()) ?? 0;
  await reload(60, port);
  await eventually(async () => ((await childRestarts()) ?? 0) > before, { what: "another child" });
  await agent.ready();
}

function childRestarts(): Promise<number | undefined> {
  return agent.metric('knockgate_capture_restarts_total{cause="reload"}');
}

/** When all is quiet: a child that was replaced has gone, and no connection of ours is open any more. */
async function census(): Promise<Census> {
  const counts = () => readFileSync(file, { encoding: "utf8", flag: "a+" }).split("\n").filter(Boolean);
  const taken: Census[] = [];
  const quiet = async () => {
    const before = counts().length;
    agent.process.signal("SIGUSR2");
    const line = await eventually(async () => counts()[before], { what: "the census" });
    taken.push(JSON.parse(line) as Census);
    const [last, ...earlier] = [...taken].reverse();
    return earlier[0]?.descriptors === last?.descriptors && earlier[1]?.descriptors === last?.descriptors && last;
  };
  return eventually(quiet, { what: "the agent to be quiet", everyMs: 700 });
}

function show({ descriptors, timers, heapKiB, residentKiB }: Census): string {
  return `${descriptors} descriptors, ${timers} timers, ${heapKiB} KiB of heap, ${residentKiB} KiB resident`;
}

function policy(seconds: number, port: number): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: faults }
spec:
  knock: { steps: [${port}/tcp, 7312/udp, 9827/tcp] }
  opens: { ports: [3001], for: ${seconds}s }
`;
}
