import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import { FailingNft } from "./failing-nft.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec: { knock: { steps: [${steps}] }, opens: { ports: [2101], for: 60s } }
`;

let world: World;
let gate: Host;
let alice: Host;
let bob: Host;
let agent: AgentProcess | undefined;

beforeAll(async () => {
  world = await World.build("nftfail", ["gate", "alice", "bob"]);
  [gate, alice, bob] = [world.host("gate"), world.host("alice"), world.host("bob")];
  await gate.serve(["2101/tcp"]);
}, 30_000);
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
  await gate.run("nft", ["delete", "table", "inet", "knockgate"]);
});
afterAll(() => world.remove());

function launch(nft: FailingNft, args: readonly string[] = []): AgentProcess {
  agent = AgentProcess.launch(world, gate, { policies, through: nft.through, env: nft.env, args });
  return agent;
}

const dial = (from: Host) => from.connect(gate.ipv4, 2101, { timeoutMs: 300 });

/** Opens nothing: what the agent says is open, and what it has told of grants. */
async function reported(of: AgentProcess): Promise<string> {
  const told = of.process.lines.filter((line) => /grant-(added|renewed)/.test(line));
  return [...told, JSON.stringify(JSON.parse((await of.cli("grants", "-o", "json")).stdout))].join("\n");
}

describe("nft fails: libnftables is missing", () => {
  test("the program nft takes its place, and a knock opens", async () => {
    const running = launch(new FailingNft(world, "works"));
    await running.ready();
    expect(running.process.text).toMatch(/nftables-warned.*libnftables.so.1 cannot be loaded.*install libnftables1/);
    expect(JSON.parse((await running.http("/statusz")).body)).toMatchObject({ nftables: "nft" });
    expect(await dial(alice)).toBe("silent");
    await alice.knock(gate.ipv4, steps);
    await running.process.waitForLine(/grant-added/);
    expect(await dial(alice)).toBe("open");
  });

  test("and without the program it ends with a sentence that says what to install", async () => {
    const { process } = launch(new FailingNft(world, "absent"));
    expect(await process.ended).toMatchObject({ code: 1 });
    expect(process.lines.filter((line) => line.startsWith("error:"))).toEqual([
      expect.stringMatching(
        /^error: neither libnftables.so.1 nor the nft program could be used; install the package nftables/,
      ),
    ]);
  });
});

test("nft fails: it is too old, and the agent ends with a sentence that names the version it needs", async () => {
  const { process } = launch(new FailingNft(world, "old"));
  expect(await process.ended).toMatchObject({ code: 1 });
  expect(process.lines.filter((line) => line.startsWith("error:"))).toEqual([
    expect.stringMatching(/^error: this nft does not understand the ruleset; it must be 1\.0\.1 or later/),
  ]);
});

describe("nft fails: at the start", () => {
  test.each(["failing", "failing to write"] as const)(
    "it is waited for (%s), not ready and with its reason, until it works",
    async (manner) => {
      const nft = new FailingNft(world, manner);
      const running = launch(nft);
      await running.process.waitForLine(/nftables-failed.*Cannot allocate memory/);
      const { status, body } = await running.http("/readyz");
      expect(status).toBe(503);
      expect(body).toMatch(/nftables: .*Cannot allocate memory/);
      expect((await running.http("/livez")).status).toBe(200);
      nft.behave("works");
      await running.ready();
      expect(await dial(bob)).toBe("silent");
      await alice.knock(gate.ipv4, steps);
      await running.process.waitForLine(/grant-added/);
    },
  );
});

describe("nft fails: while somebody knocks", () => {
  test("for a moment, and the door opens as soon as it works; before that no grant is reported", async () => {
    const nft = new FailingNft(world, "works");
    const running = launch(nft);
    await running.ready();
    nft.behave("failing");
    await alice.knock(gate.ipv4, steps);
    const failed = async () => (await running.metric('knockgate_nftables_transactions_total{result="failed"}')) ?? 0;
    await eventually(async () => (await failed()) > 0, { what: "a transaction that failed" });
    expect(await dial(alice)).toBe("silent");
    expect(await reported(running)).toBe("[]");
    nft.behave("works");
    await running.process.waitForLine(/grant-added.*bastion\/ssh/, { timeoutMs: 3000 });
    expect(await dial(alice)).toBe("open");
    expect(await dial(bob)).toBe("silent");
  });

  test("for long, and the failure is told once; the next knock works", async () => {
    const nft = new FailingNft(world, "works");
    const running = launch(nft);
    await running.ready();
    nft.behave("failing");
    await alice.knock(gate.ipv4, steps);
    await running.process.waitForLine(/grant-failed.*Cannot allocate memory/, { timeoutMs: 15_000 });
    expect(await reported(running)).toBe("[]");
    nft.behave("works");
    await alice.knock(gate.ipv4, steps);
    await running.process.waitForLine(/grant-added/);
    expect(running.process.lines.filter((line) => line.includes("grant-failed"))).toHaveLength(1);
    expect(await dial(alice)).toBe("open");
  });

  test("because the set is full, which costs only who comes too late, and is said", async () => {
    const running = await AgentProcess.start(world, gate, { policies, args: ["--max-grants", "2"] });
    agent = running;
    await alice.knock(gate.ipv4, steps);
    await running.process.waitForLine(/grant-added/);
    await gate.expect("nft", ["add element inet knockgate granted4 { 192.0.2.1 . tcp . 2101 timeout 1m }"]);
    await bob.knock(gate.ipv4, steps);
    const line = await running.process.waitForLine(/grant-refused/);
    expect(line).toContain("the set holds as many elements as it may");
    expect(await dial(bob)).toBe("silent");
    expect(await dial(alice)).toBe("open");
    expect(await reported(running)).not.toContain(bob.ipv4);
    await gate.expect("nft", ["delete element inet knockgate granted4 { 192.0.2.1 . tcp . 2101 }"]);
    await bob.knock(gate.ipv4, steps);
    await eventually(async () => (await dial(bob)) === "open", { what: "bob to get in" });
  });
});
