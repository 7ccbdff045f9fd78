import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { type Host, programPath } from "./host.ts";
import { processUsage } from "./process-usage.ts";
import { World } from "./world.ts";

const crowdSize = 10_000;
/** Connections that the agent keeps, and what it has open besides. */
const mostDescriptors = 1024 + 100;

let world: World;
let gate: Host;
let alice: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("faulthttp", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  agent = await AgentProcess.start(world, gate, { args: ["--guard", "3001", "--listen", "0.0.0.0:9780"] });
}, 30_000);

afterAll(async () => {
  await world.remove();
});

test.each([
  { from: "outside", host: () => alice, address: () => gate.ipv4 },
  { from: "this host itself", host: () => gate, address: () => "127.0.0.1" },
])(
  "10,000 open HTTP connections of slow clients from $from: bounded, and /livez answers",
  async ({ host, address }) => {
    const before = processUsage(agent.process.pid).residentMiB;
    const dropped = (await agent.metric("knockgate_http_connections_dropped_total")) ?? 0;
    const args = [programPath("http-crowd.mjs"), address(), "9780", String(crowdSize)];
    const crowd = host().start(process.execPath, args);
    let descriptors = 0;
    let answered = 0;
    let joined = false;
    void crowd.waitForLine(/^joined/, { timeoutMs: 30_000 }).then(() => {
      joined = true;
    });
    while (!joined || answered < 20) {
      expect(await agent.http("/livez")).toEqual({ status: 200, body: '{"live":true}' });
      answered++;
      descriptors = Math.max(descriptors, readdirSync(`/proc/${agent.process.pid}/fd`).length);
      expect(crowd.isOver, crowd.text).toBe(false);
    }
    expect(crowd.text).toContain(`joined ${crowdSize}`);
    expect(descriptors).toBeGreaterThan(1000);
    expect(descriptors).toBeLessThan(mostDescriptors);
    expect(await agent.metric("knockgate_http_connections_dropped_total")).toBeGreaterThan(dropped + crowdSize - 1100);
    const after = processUsage(agent.process.pid).residentMiB;
    console.log(
      `${crowdSize} connections: at most ${descriptors} descriptors, ${Math.round(before)} -> ${Math.round(after)} MiB, ${answered} of ${answered} /livez answered`,
    );
    await crowd.stop();
  },
  60_000,
);

test("a slow client is sent away within seconds, also when it sends a byte every second", async () => {
  const crowd = alice.start(process.execPath, [programPath("http-crowd.mjs"), gate.ipv4, "9780", "50"]);
  await crowd.waitForLine("joined 50");
  const from = crowd.lines.length;
  const asking = setInterval(() => crowd.write("\n"), 200);
  await crowd.waitForLine(/^open 0$/, { from, timeoutMs: 9000 }).finally(() => clearInterval(asking));
  expect((await agent.http("/livez")).status).toBe(200);
});
