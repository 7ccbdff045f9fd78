import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { portOfKey } from "../../src/policy/port.ts";
import { compileTexts } from "../fake/policy-text.ts";
import { AgentProcess } from "./agent-process.ts";
import { accounted, Flood, type FloodOutcome } from "./flood.ts";
import { type Host, programPath } from "./host.ts";
import { childOf } from "./process-usage.ts";
import type { RunResult } from "./running-process.ts";
import type { SourceRange, SpoofedPackets } from "./spoofed-packets.ts";
import { World } from "./world.ts";

const door = 2202;
const steps = ["8861/tcp", "7341/udp", "9171/tcp"];
const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: flooded, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}], within: 15s }
  opens: { ports: [${door}], for: 5m }
`;
/** tcpreplay stays a little below what it is asked for. */
const perSecond = 101_000;
/** What the agent may take with as many first steps as it follows by default, and the child whatever comes. */
const most = { agentMiB: 300, childMiB: 100, readyMs: 1000 };

/** Who has not knocked yet; the IPv6 ones each in a /64 of its own. */
const knockersFour = Array.from({ length: 100 }, (_, at) => `10.77.16.${1 + at}`);
const knockersSix = Array.from({ length: 30 }, (_, at) => `fd78:0:0:${(1 + at).toString(16)}::7`);

let world: World;
let gate: Host;
let clients: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("flood", ["gate", "clients"]);
  [gate, clients] = [world.host("gate"), world.host("clients")];
  await clients.expect("ip", ["route", "add", "local", "10.77.16.0/24", "dev", clients.link]);
  const batch = knockersSix.map((source) => `address add ${source}/128 dev ${clients.link} nodad\n`);
  await clients.expect("ip", ["-6", "-batch", "-"], { input: batch.join("") });
  // What the flood's packets are answered goes where it does anywhere: out, and to nobody.
  await gate.expect("ip", ["route", "add", "default", "via", clients.ipv4]);
  await gate.expect("ip", ["-6", "route", "add", "default", "via", clients.ipv6]);
  await clients.expect("ip", ["route", "add", "blackhole", "default"]);
  await clients.expect("ip", ["-6", "route", "add", "blackhole", "default"]);
  await gate.serve([`${door}/tcp`]);
  agent = await AgentProcess.start(world, gate, { policies: policy });
}, 30_000);

afterAll(() => world.remove());

test("flood: 100,000 packets a second of matching junk from 1,000,000 spoofed sources for 20 s", async () => {
  const knockers = [...knockersFour.splice(0, 40), ...knockersSix.splice(0, 10)];
  const flood = await begin(junk(), 20);
  const met = await Promise.all(
    knockers.map(async (source, at) => {
      await pause(at * 350);
      await hit(source, steps);
      return (await isGranted(source)) ? connect(source) : "no grant";
    }),
  );
  expect(flood.isOn, "the flood is still on when the last one knocks").toBe(true);
  const outcome = await flood.ended("100,000 packets a second from 1,000,000 sources");
  expectHeld(outcome, knockers.length);
  expect(met.filter((one) => one === "open").length, met.join()).toBeGreaterThanOrEqual(49);
}, 90_000);

describe("the same against SPOOFED first knocks of a victim's address", () => {
  // The victim is the address that the client uses by itself. What each rate leaves him was measured; see the README.
  test.each([
    { name: "1,000 a second", kinds: () => [ofVictim()], rate: 1000 },
    { name: "10,000 a second", kinds: () => [ofVictim()], rate: 10_000 },
    { name: "1,000 a second among 100,000 of junk from 1,000,000 sources", kinds: amongJunk, rate: perSecond },
  ])(
    "$name: the victim still gets in within a few tries",
    async ({ name, kinds, rate }) => {
      await closed();
      const flood = await begin(kinds(), 20, rate);
      const steps_ = steps.map((step) => step.replace("/", ":"));
      const { code, stdout } = await knockgate("-v", "--open", `${door}`, "--tries", "15", gate.ipv4, ...steps_);
      expect(flood.isOn, "the flood is still on").toBe(true);
      const outcome = await flood.ended(`spoofed first knocks of a victim's address, ${name}`);
      const tries = (stdout.match(/^hitting/gm) ?? []).length / steps.length;
      console.log(`  the victim was in after ${tries} tries`);
      expect(outcome.knocks).toBeGreaterThan(10 * 1000);
      expect(code).toBe(0);
      expect(outcome.restarts).toBe(0);
    },
    90_000,
  );

  test("100,000 a second: he gets in at the first try after they have stopped", async () => {
    await closed();
    const flood = await begin([ofVictim()], 10);
    await knockgate(gate.ipv4, ...steps); // somewhere in it, so that the next one finds what this one left
    expect(flood.isOn).toBe(true);
    await flood.ended("spoofed first knocks of a victim's address, 100,000 a second");
    await closed();
    const { code, stdout } = await knockgate("--open", `${door}`, gate.ipv4, ...steps);
    expect(stdout).toMatch(/answered after/);
    expect(code).toBe(0);
  }, 60_000);

  function ofVictim(): SpoofedPackets {
    return firstSteps({ first: clients.ipv4, count: 1 });
  }

  function amongJunk(): readonly SpoofedPackets[] {
    return junk().flatMap((kind, at) => (at % 99 === 0 ? [ofVictim(), kind] : [kind]));
  }

  function knockgate(...args: string[]): Promise<RunResult> {
    return clients.run(process.execPath, [programPath("../../dist/main.js"), "knock", ...args]);
  }

  /** The victim has nothing open, so that it is this knock that opens. */
  async function closed(): Promise<void> {
    await agent.cli("revoke", clients.ipv4);
    expect(await agent.elements("granted4")).not.toContainEqual(expect.stringContaining(`${clients.ipv4} `));
  }
});

test.each<{ name: string; flooders: SourceRange }>([
  { name: "from 100,000 addresses", flooders: { first: "10.160.0.0", count: 100_000 } },
  { name: "from one IPv6 /64", flooders: { first: "fd79:0:0:1::", count: 100_000 } },
])(
  "100,000 first steps a second $name, while right knocks take 200 ms between steps: they complete",
  async ({ name, flooders }) => {
    const knockers = [...knockersFour.splice(0, 10), ...knockersSix.splice(0, 10)];
    const flood = await begin([firstSteps(flooders)], 5);
    const met = await Promise.all(
      knockers.map(async (source, at) => {
        await pause(at * 100);
        for (const step of steps) {
          await hit(source, [step]);
          await pause(200);
        }
        return (await isGranted(source)) ? connect(source) : "no grant";
      }),
    );
    expect(flood.isOn, "the flood is still on when the last one knocks").toBe(true);
    const outcome = await flood.ended(`first steps ${name}`);
    expectHeld(outcome, knockers.length);
    expect(met).toEqual(knockers.map(() => "open"));
  },
  60_000,
);

test("a flood that child and agent cannot follow: what is dropped is counted by reason, and the next right knock opens", async () => {
  const [source = ""] = knockersFour.splice(0, 1);
  const flood = await begin(junk(), 5);
  await standStill(childOf(agent.process.pid, "capture-child"), 500); // more than the kernel's ring holds
  await standStill(agent.process.pid, 1500); // more than the child's queue holds
  const outcome = await flood.ended("the same while the child stands still for 500 ms, then the agent for 1,500 ms");
  expectCounted(outcome, 0);
  expect(outcome.kernelDrops).toBeGreaterThan(0);
  expect(outcome.ringFull).toBeGreaterThan(0);
  await hit(source, steps);
  expect(await isGranted(source)).toBe(true);
  expect(await connect(source)).toBe("open");
}, 60_000);

async function standStill(pid: number, forMs: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await pause(forMs);
  process.kill(pid, "SIGCONT");
}

/** For so many seconds; the packets of up to ten seconds are all different. */
function begin(kinds: readonly SpoofedPackets[], seconds: number, rate = perSecond): Promise<Flood> {
  const rounds = Math.ceil(seconds / 10);
  const packets = (rate * seconds) / rounds;
  return Flood.begin({ world, from: clients, gate, agent }, { kinds, packets, rounds, perSecond: rate });
}

/** Packets that are all matched: three of four first steps, one on another step or a decoy; one of eight over IPv6. */
function junk(): SpoofedPackets[] {
  const sequence = compileTexts([policy]).policies[0]?.opensBy;
  const others = [...(sequence?.steps.slice(1) ?? []), ...(sequence?.decoys ?? [])].map(portOfKey);
  expect(others.length).toBeGreaterThan(64);
  const kinds = others.flatMap((port) => [
    firstSteps,
    firstSteps,
    firstSteps,
    (sources: SourceRange) => to(port, sources),
  ]);
  const each = Math.ceil(1_000_000 / kinds.length);
  return kinds.map((kind, at) => {
    const six = { first: `fd80:${at.toString(16)}::7`, count: each, prefixBits: 64 } as const;
    const four = { first: `10.${128 + (at >> 4)}.${(at & 15) * 16}.0`, count: each };
    return kind(at % 8 === 1 ? six : four);
  });
}

function firstSteps(sources: SourceRange): SpoofedPackets {
  return to({ protocol: "tcp", port: 8861 }, sources);
}

function to({ protocol, port }: { protocol: "tcp" | "udp"; port: number }, sources: SourceRange): SpoofedPackets {
  const target = sources.first.includes(":") ? gate.ipv6 : gate.ipv4;
  return { packet: { target, protocol, port }, sources };
}

/** What holds in every flood: memory is bounded, `/readyz` answers, and no packet is lost without being counted. */
function expectHeld(outcome: FloodOutcome, knocks: number): void {
  expectCounted(outcome, knocks);
  expect(outcome.agent.peakMiB).toBeLessThan(most.agentMiB);
  expect(outcome.child.peakMiB).toBeLessThan(most.childMiB);
  expect(outcome.ready.failed).toBe(0);
  expect(outcome.ready.slowestMs).toBeLessThan(most.readyMs);
}

/** Every packet that was sent was matched, or dropped for a reason that is told. The link has a few more of its own. */
function expectCounted(outcome: FloodOutcome, knocks: number): void {
  expect(outcome.restarts).toBe(0);
  expect(outcome.captured).toBe(accounted(outcome));
  const sent = outcome.sent + knocks * steps.length;
  expect(outcome.captured - outcome.discarded + outcome.backlogDrops).toBeGreaterThanOrEqual(sent);
}

/** Knocks as a client does that sends one packet after the other. */
function hit(source: string, ports: readonly string[]): Promise<void> {
  return clients.knock(source.includes(":") ? gate.ipv6 : gate.ipv4, ports, { sourceAddress: source });
}

/** Whether the audit log tells, within two seconds, that the door is open. */
function isGranted(source: string): Promise<boolean> {
  const told = agent.process.waitForLine(new RegExp(`grant-added.*"${source}"`), { timeoutMs: 2000 });
  return told.then(
    () => true,
    () => false,
  );
}

function connect(source: string): Promise<string> {
  const target = source.includes(":") ? gate.ipv6 : gate.ipv4;
  return clients.connect(target, door, { sourceAddress: source, timeoutMs: 1000 });
}
