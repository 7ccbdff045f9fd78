import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { millisecondsUntil } from "./log-time.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const otherSteps = ["8846/tcp", "7313/udp", "9128/tcp"];
const policies = [policy("door", steps, "3001, 3002", "60s"), policy("other", otherSteps, "3003", "60s")].join("---\n");

let world: World;
let gate: Host;
let alice: Host;
let bob: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("drift", ["gate", "alice", "bob"]);
  [gate, alice, bob] = [world.host("gate"), world.host("alice"), world.host("bob")];
  await gate.serve(["3001/tcp", "3002/tcp", "3003/tcp"]);
  agent = await AgentProcess.start(world, gate, { policies });
}, 30_000);

afterAll(async () => {
  await world.remove();
});

describe("somebody", () => {
  test.each([
    { what: "runs `nft flush ruleset`", script: "flush ruleset", told: "the table is missing" },
    { what: "deletes the table", script: "delete table inet knockgate", told: "the table is missing" },
    {
      what: "deletes a rule",
      script: "delete rule inet knockgate gate handle $last",
      told: "the chain gate has other rules",
    },
    { what: "deletes all rules", script: "flush chain inet knockgate gate", told: "the chain gate has other rules" },
    {
      what: "deletes the chain",
      script: "flush chain inet knockgate gate; delete chain inet knockgate gate",
      told: "the chain gate is missing",
    },
    {
      what: "deletes a set",
      script: "flush chain inet knockgate gate; delete set inet knockgate granted4",
      told: "the set granted4 is missing",
    },
    {
      what: "deletes an element that guards",
      script: "delete element inet knockgate guarded { tcp . 3001 }",
      told: "the set guarded has other elements",
    },
    {
      what: "makes the table dormant",
      script: "add table inet knockgate { flags dormant; }",
      told: "the table was made dormant",
    },
  ])(
    "$what: put back within 2 s with live grants, told, counted, and not ready meanwhile",
    async ({ script, told }) => {
      await knocked(alice, steps);
      const [left = 0] = await secondsLeft();
      const drifts = (await agent.metric("knockgate_nftables_drift_total")) ?? 0;
      const from = agent.process.lines.length;
      const input = script.includes("$last") ? script.replace("$last", await lastHandle()) : script;
      await gate.expect("nft", ["-f", "-"], { input });
      const spoiltAt = Date.now();
      const intact = await agent.process.waitForLine('"nftables-intact"', { from });
      expect(millisecondsUntil(intact, spoiltAt)).toBeLessThan(2000);
      const story = ["nftables-drift", "agent-not-ready", "nftables-failed", "agent-ready", "nftables-intact"];
      expect([...new Set(events(from))].slice(0, 5)).toEqual(story);
      expect(agent.process.lines.slice(from).find((line) => line.includes("nftables-drift"))).toContain(told);
      expect(await agent.metric("knockgate_nftables_drift_total")).toBeGreaterThan(drifts);
      for (const port of [3001, 3002]) {
        expect(await connect(alice, port)).toBe("open");
        expect(await connect(bob, port)).toBe("silent");
      }
      expect((await secondsLeft())[0]).toBeLessThanOrEqual(left);
      expect((await agent.http("/readyz")).status).toBe(200);
    },
  );

  test("deletes an element of a grant: that counts as a revocation, and nothing else is touched", async () => {
    await knocked(alice, steps);
    await knocked(bob, steps);
    const from = agent.process.lines.length;
    await gate.expect("nft", ["delete", "element", "inet", "knockgate", "granted4", `{ ${alice.ipv4} . tcp . 3001 }`]);
    const record = await agent.process.waitForLine("grant-revoked", { from });
    expect(JSON.parse(record)).toMatchObject({ source: alice.ipv4, ports: ["3001/tcp"], detail: "kernel" });
    expect(await connect(alice, 3001)).toBe("silent");
    expect(await connect(alice, 3002)).toBe("open");
    expect(await connect(bob, 3001)).toBe("open");
    await gate.expect("nft", ["flush", "ruleset"]);
    await agent.process.waitForLine("nftables-intact", { from });
    expect(await connect(alice, 3001)).toBe("silent");
    expect(await connect(alice, 3002)).toBe("open");
  });

  test("adds an element by hand: it is listed as such, with and without an agent, and revocation closes it", async () => {
    for (const host of [alice, bob]) await agent.cli("revoke", host.ipv4); // what earlier tests have left open
    await gate.expect("nft", ["-f", "-"], { input: byHand(alice, bob) });
    expect(await alice.connect(gate.ipv4, 3002)).toBe("open");
    const rows = async () => (await agent.cli("grants")).stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(await rows()).toContainEqual([alice.ipv4, "3002/tcp", "by hand", "until closed"]);
    const json = JSON.parse((await agent.cli("grants", "-o", "json")).stdout);
    expect(json).toContainEqual({ source: alice.ipv4, port: "3002/tcp", sequences: [], leftSeconds: null });
    const fromKernel = await agent.cli("grants", "--socket", "/nowhere");
    expect(fromKernel.stdout).toMatch(new RegExp(`^${alice.ipv4} +3002/tcp +by hand +until closed$`, "m"));
    const from = agent.process.lines.length;
    const revoked = await agent.cli("revoke", alice.ipv4);
    expect(revoked).toMatchObject({ code: 0, stdout: `1 port was closed for ${alice.ipv4}.\n` });
    const audit = await agent.process.waitForLine('"grant-revoked"', { from });
    expect(JSON.parse(audit)).toMatchObject({
      source: alice.ipv4,
      policy: "by hand",
      ports: ["3002/tcp"],
      detail: "socket",
    });
    expect(await alice.connect(gate.ipv4, 3002, { timeoutMs: 300 })).toBe("silent");
    expect(await agent.elements("granted4")).toEqual([`${bob.ipv4} . tcp . 3002`]);
    await gate.expect("nft", ["flush", "set", "inet", "knockgate", "granted4"]);
  }, 30_000);

  test("flushes the ruleset again and again, just before a knock is complete: each gets in, and puts the table back", async () => {
    const before = await failedTransactions();
    const rounds = 5;
    for (let round = 0; round < rounds; round++) {
      await agent.cli("revoke", alice.ipv4);
      await knockedAndSeen(otherSteps.slice(0, 2));
      const from = agent.process.lines.length;
      await gate.expect("nft", ["flush", "ruleset"]);
      await alice.knock(gate.ipv4, otherSteps.slice(2));
      await agent.process.waitForLine(/"grant-(added|renewed)"/, { from });
      expect(await agent.elements("guarded")).toHaveLength(3);
      expect(await connect(alice, 3003)).toBe("open");
      expect(await connect(bob, 3003)).toBe("silent");
      expect(events(from)).not.toContain("grant-failed");
    }
    // The grant that fails puts the table back itself: it does not fail until somebody looks.
    expect(await failedTransactions()).toBeLessThanOrEqual(before + rounds);
  });

  test("keeps flushing for three seconds: the ports are guarded whenever he pauses, and the agent stays alive", async () => {
    await agent.cli("revoke", bob.ipv4);
    await knocked(alice, steps);
    const endsAt = performance.now() + 3000;
    while (performance.now() < endsAt) await gate.expect("nft", ["flush", "ruleset"]);
    const [flushedAt, from] = [Date.now(), agent.process.lines.length];
    await eventually(async () => (await connect(bob, 3001)) === "silent", { what: "the table" });
    const intact = agent.process.lines.findLast((line) => line.includes('"nftables-intact"')) ?? "";
    expect(millisecondsUntil(intact, flushedAt)).toBeLessThan(2000);
    expect(await connect(alice, 3001)).toBe("open");
    expect(agent.process.isOver, agent.process.lines.slice(from).join("\n")).toBe(false);
    await agent.ready();
  });
});

/** The handle of the rule that drops. */
async function lastHandle(): Promise<string> {
  const listed = await gate.expect("nft", ["-a", "list", "chain", "inet", "knockgate", "gate"]);
  return /drop # handle (\d+)/.exec(listed)?.[1] ?? "";
}

async function failedTransactions(): Promise<number> {
  return (await agent.metric('knockgate_nftables_transactions_total{result="failed"}')) ?? 0;
}

/** The events told since then, in order. */
function events(from: number): string[] {
  return agent.process.lines.slice(from).map((line) => (JSON.parse(line) as { event: string }).event);
}

async function secondsLeft(): Promise<number[]> {
  const rows = JSON.parse((await agent.cli("grants", "-o", "json")).stdout) as {
    source: string;
    leftSeconds: number;
  }[];
  return rows.filter(({ source }) => source === alice.ipv4).map(({ leftSeconds }) => leftSeconds);
}

/** These knocks, and they have been counted. */
async function knockedAndSeen(knocks: readonly string[]): Promise<void> {
  const before = await advanced();
  await alice.knock(gate.ipv4, knocks);
  await eventually(async () => (await advanced()) >= before + knocks.length, { what: "the knocks to be seen" });
}

async function advanced(): Promise<number> {
  const labels = (protocol: string) => `{outcome="advanced",family="ipv4",protocol="${protocol}"}`;
  const counts = ["tcp", "udp"].map((protocol) => agent.metric(`knockgate_knocks_total${labels(protocol)}`));
  return (await Promise.all(counts)).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

async function knocked(from: Host, knock: readonly string[]): Promise<void> {
  const lines = agent.process.lines.length;
  await from.knock(gate.ipv4, knock);
  await agent.process.waitForLine(/grant-(added|renewed)/, { from: lines });
}

function connect(from: Host, port: number): Promise<string> {
  return from.connect(gate.ipv4, port, { timeoutMs: 300 });
}

function policy(name: string, knock: readonly string[], ports: string, forTime: string): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: faults }
spec:
  knock: { steps: [${knock.join(", ")}] }
  opens: { ports: [${ports}], for: ${forTime} }
`;
}

/** What opens 3002/tcp for some hosts until somebody closes it. */
function byHand(...hosts: readonly Host[]): string {
  return hosts.map(({ ipv4 }) => `add element inet knockgate granted4 { ${ipv4} . tcp . 3002 }\n`).join("");
}
