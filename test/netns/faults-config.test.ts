import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import { childrenOf } from "./process-usage.ts";
import { Stranger } from "./stranger.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const two = `${policy("one", steps, [3001])}---\n${policy("two", ["8846/tcp", "7313/udp", "9128/tcp"], [3002, 3003])}`;

let world: World;
let gate: Host;
let alice: Host;
let agent: AgentProcess;

beforeEach(async () => {
  world = await World.build("faultcfg", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["3001/tcp", "3002/tcp", "3003/tcp"]);
}, 30_000);

afterEach(async () => {
  await world.remove();
});

describe("filter change on reload", () => {
  test("while somebody is between two knocks: the knock is complete, in whichever moment of the reload it comes", async () => {
    agent = await AgentProcess.start(world, gate, { policies: two });
    for (const [round, delayMs] of [0, 40, 80, 120, 160, 200, 300, "until it is over"].entries()) {
      const before = await reloads();
      const reloaded = () => eventually(async () => (await reloads()) > before, { what: "the new filter" });
      await alice.knock(gate.ipv4, steps.slice(0, 1));
      reloadWithAnotherFilter(round);
      await (typeof delayMs === "number" ? pause(delayMs) : reloaded());
      await alice.knock(gate.ipv4, steps.slice(1, 2));
      const from = agent.process.lines.length;
      await alice.knock(gate.ipv4, steps.slice(2));
      await agent.process.waitForLine(/"grant-(added|renewed)"/, { from });
      await agent.cli("revoke", alice.ipv4);
      await reloaded();
    }
  }, 60_000);

  test("under traffic: no packet is missed and none is counted twice", async () => {
    agent = await AgentProcess.start(world, gate, { policies: two });
    const packets = numbered(4000);
    const flood = new PacketSender(world, alice, gate).start(packets, { perSecond: 1000 });
    for (let round = 0; !flood.isOver; round++) {
      reloadWithAnotherFilter(round);
      await pause(300);
    }
    await eventually(async () => (await knocksCounted()) >= packets.length, { what: "all packets to be counted" });
    const isAlone = async () => childrenOf(agent.process.pid, "capture-child").length === 1;
    await eventually(isAlone, { what: "children that were replaced to hand over what they have" });
    await new PacketSender(world, alice, gate).send(numbered(1, packets.length));
    await eventually(async () => (await knocksCounted()) > packets.length, { what: "a last packet to be counted" });
    expect(await knocksCounted()).toBe(packets.length + 1);
    expect(await reloads()).toBeGreaterThanOrEqual(2); // changes that come while another one is taken are taken together
  }, 60_000);
});

describe("configuration that for a moment", () => {
  test.each([
    { what: "is empty", write: (file: string) => truncateSync(file) },
    { what: "ends after its first policy", write: (file: string) => truncateSync(file, two.indexOf("---")) },
    { what: "ends within a list of ports", write: (file: string) => truncateSync(file, two.indexOf("    - 3003")) },
    { what: "ends within a number", write: (file: string) => truncateSync(file, two.indexOf("3003") + 3) },
    { what: "ends within a word", write: (file: string) => truncateSync(file, two.indexOf("3003") - 5) },
    { what: "is away", write: (file: string) => rmSync(file) },
    {
      what: "is away with its folder",
      write: (file: string) => renameSync(join(file, ".."), join(file, "../../away")),
    },
  ])(
    "$what: no guarded port opens, read in passing or by SIGHUP",
    async ({ write }) => {
      agent = await AgentProcess.start(world, gate, { policies: two });
      const file = join(agent.folder, "config", "policies.yaml");
      const stranger = new Stranger(alice, gate.ipv4, [3001, 3002, 3003]);
      for (const bySignal of [false, true]) {
        write(file);
        if (bySignal) agent.process.signal("SIGHUP");
        await pause(300); // long enough to be read, and well below the second after which it is looked at again
        rmSync(join(agent.folder, "away"), { recursive: true, force: true });
        mkdirSync(join(agent.folder, "config"), { recursive: true });
        writeFileSync(file, two);
        await pause(1500);
      }
      await stranger.hasTried(200);
      for (const [port, { tries, opened }] of await stranger.stop()) {
        expect(opened, `of ${tries} on ${port}`).toBe(0);
      }
      await agent.ready();
      expect(await agent.elements("guarded")).toEqual(["tcp . 3001", "tcp . 3002", "tcp . 3003"]);
    },
    30_000,
  );
});

describe("bad configuration", () => {
  test.each([
    { what: "broken YAML", spoil: (file: string) => writeFileSync(file, "spec: ["), reason: /policies\.yaml:1/ },
    {
      what: "an unreadable file",
      spoil: (file: string) => {
        rmSync(file);
        symlinkSync(file, file);
      },
      reason: /symbolic link to itself/,
    },
    {
      what: "a folder that vanishes",
      spoil: (file: string) => rmSync(join(file, ".."), { recursive: true }),
      reason: /config does not exist/,
    },
  ])(
    "at reload, $what: the last good policies stay; log, metric and status say why",
    async ({ spoil, reason }) => {
      agent = await AgentProcess.start(world, gate, { policies: two });
      const from = agent.process.lines.length;
      spoil(join(agent.folder, "config", "policies.yaml"));
      expect(await agent.process.waitForLine('"config-refused"', { from })).toMatch(reason);
      expect(await agent.metric("knockgate_config_last_reload_successful")).toBe(0);
      expect(await agent.metric('knockgate_config_policies{state="accepted"}')).toBe(2);
      const { policies, ready } = JSON.parse((await agent.http("/statusz")).body);
      expect(policies.stale).toMatch(reason);
      expect(policies.accepted).toEqual(["faults/one", "faults/two"]);
      expect(ready).toBe(true);
      expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
      await alice.knock(gate.ipv4, steps);
      await agent.process.waitForLine('"grant-added"', { from });
      expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
      mkdirSync(join(agent.folder, "config"), { recursive: true });
      rmSync(join(agent.folder, "config", "policies.yaml"), { force: true });
      agent.writePolicy("policies.yaml", two);
      const mended = async () => (await agent.metric("knockgate_config_last_reload_successful")) === 1;
      await eventually(mended, { what: "the mended configuration" });
    },
    30_000,
  );

  test.each([
    { what: "broken YAML", spoil: "printf 'spec: [' > config/policies.yaml", reason: /policies\.yaml:1/ },
    { what: "a folder that is gone", spoil: "rm -r config", reason: /config does not exist/ },
  ])(
    "at a restart, $what: the last good policies open and guard, the agent is ready; log, metric and status say why",
    async ({ spoil, reason }) => {
      const first = await AgentProcess.start(world, gate, { policies: two });
      await first.kill();
      await gate.expect("nft", ["flush", "ruleset"]); // what is guarded now comes from what was kept, not from the kernel
      const { folder } = first;
      const through = ["sh", "-c", `cd ${folder} && ${spoil} && exec "$@"`, "sh"];
      agent = await AgentProcess.start(world, gate, { folder, through });
      expect(await agent.process.waitForLine('"config-restored"')).toMatch(reason);
      expect(await agent.metric("knockgate_config_last_reload_successful")).toBe(0);
      expect(await agent.metric('knockgate_config_policies{state="accepted"}')).toBe(2);
      const { policies } = JSON.parse((await agent.http("/statusz")).body);
      expect(policies).toMatchObject({ accepted: ["faults/one", "faults/two"], stale: expect.stringMatching(reason) });
      expect(await agent.elements("guarded")).toEqual(["tcp . 3001", "tcp . 3002", "tcp . 3003"]);
      expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
      await alice.knock(gate.ipv4, steps);
      await agent.process.waitForLine('"grant-added"');
      expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
      mkdirSync(join(agent.folder, "config"), { recursive: true });
      agent.writePolicy("policies.yaml", policy("one", steps, [3001]));
      await agent.process.waitForLine('"config-accepted"');
      expect(await agent.elements("guarded")).toEqual(["tcp . 3001"]);
    },
    30_000,
  );

  test("at a restart, a policy that is rejected now: the version that was accepted opens", async () => {
    const first = await AgentProcess.start(world, gate, { policies: two });
    await first.kill();
    await gate.expect("nft", ["flush", "ruleset"]);
    agent = await AgentProcess.start(world, gate, { folder: first.folder, policies: two.replace("60s", "soon") });
    expect(await agent.process.waitForLine('"policy-problem"')).toContain("faults/one");
    await alice.knock(gate.ipv4, steps);
    await agent.process.waitForLine('"grant-added"');
    expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
    expect(await alice.connect(gate.ipv4, 3002, { timeoutMs: 300 })).toBe("silent");
  }, 30_000);

  test.each([
    { what: "a folder that is not there", spoil: (folder: string) => folder, reason: /later does not exist/ },
    {
      what: "broken YAML",
      spoil: (folder: string) => {
        mkdirSync(folder);
        writeFileSync(join(folder, "policies.yaml"), "spec: [");
      },
      reason: /policies\.yaml:1/,
    },
    {
      what: "an unreadable file",
      spoil: (folder: string) => {
        mkdirSync(folder);
        symlinkSync(join(folder, "policies.yaml"), join(folder, "policies.yaml"));
      },
      reason: /symbolic link to itself/,
    },
  ])(
    "at the first start, $what: not ready, guards nothing, says so, and begins when it is good",
    async ({ spoil, reason }) => {
      const folder = join(world.folder, "later");
      spoil(folder);
      agent = AgentProcess.launch(world, gate, { args: ["--config", folder] });
      expect(await agent.process.waitForLine('"config-refused"')).toMatch(reason);
      const { status, body } = await agent.http("/readyz");
      expect(status).toBe(503);
      expect(body).toMatch(reason);
      expect(JSON.parse((await agent.http("/statusz")).body).policies.stale).toMatch(reason);
      expect(await agent.metric("knockgate_config_last_reload_successful")).toBe(0);
      expect(await agent.elements("guarded")).toEqual([]);
      expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
      mkdirSync(folder, { recursive: true });
      rmSync(join(folder, "policies.yaml"), { force: true });
      writeFileSync(join(folder, "policies.yaml"), two);
      await agent.ready();
      expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
    },
    30_000,
  );
});

/** A policy with other steps each time, so that the capture needs another filter; read at once, and believed at once, for nothing is lost. */
function reloadWithAnotherFilter(round: number): void {
  const ports = [9300 + round * 7, 9900 - round * 11, 9500 + round * 13];
  agent.writePolicy(
    "more.yaml",
    policy(
      "more",
      ports.map((port) => `${port}/tcp`),
      [3900],
    ),
  );
  agent.process.signal("SIGHUP");
}

async function reloads(): Promise<number> {
  return (await agent.metric('knockgate_capture_restarts_total{cause="reload"}')) ?? 0;
}

/** First steps, each with its own source port and sequence number. */
function numbered(count: number, from = 0): WirePacket[] {
  const packet = { source: alice.ipv4, target: gate.ipv4, protocol: "tcp", port: 8845 } as const;
  return Array.from({ length: count }, (_, at) => {
    const number = from + at;
    return { ...packet, sourcePort: 10_000 + number, sequenceNumber: number };
  });
}

async function knocksCounted(): Promise<number> {
  const { body } = await agent.http("/metrics");
  const counts = [...body.matchAll(/^knockgate_knocks_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Ports stand last and one a line, so that a file cut short is still a file. */
function policy(name: string, knock: readonly string[], ports: readonly number[]): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: faults }
spec:
  knock: { steps: [${knock.join(", ")}] }
  opens:
    for: 60s
    ports:
${ports.map((port) => `    - ${port}\n`).join("")}`;
}
