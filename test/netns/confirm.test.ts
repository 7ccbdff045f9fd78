import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
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
  opens: { ports: [22], for: 60s }
`;

/** A rule that closes ports. */
const dropping = / drop$/m;

let world: World;
let gate: Host;
let operator: Host;

beforeEach(async () => {
  world = await World.build("confirm", ["gate", "operator"]);
  [gate, operator] = [world.host("gate"), world.host("operator")];
  await gate.serve(["22/tcp"]);
}, 30_000);

afterEach(async () => {
  await world.remove();
});

describe("an operator locks himself out by a mistake", () => {
  test("and gets in again when the time of --confirm-within is up; a later confirm closes the port again", async () => {
    const patient = await start("600s");
    expect(await ssh()).toBe("silent");
    expect(await status(patient)).toMatchObject({ mode: "enforce", confirmation: "asked", ready: true });
    const asked = millisecondsUntil(await patient.process.waitForLine("confirmation-asked"), 0);
    await patient.kill();
    const agent = await start("3s", patient.folder); // which counts from the question, whoever asked it
    // The question is on disk, and its time goes on, some moments before it is told.
    expect(millisecondsUntil(await agent.process.waitForLine("confirmation-lapsed"), asked)).toBeGreaterThan(2500);
    await eventually(async () => (await ssh()) === "open", { what: "the operator to get in" });
    expect(await status(agent)).toMatchObject({ mode: "observe", confirmation: "lapsed", ready: true });
    expect(await agent.metric('knockgate_mode{mode="observe"}')).toBe(1);
    expect((await agent.http("/readyz")).status).toBe(200);
    const confirmed = await agent.cli("confirm");
    expect(confirmed.stdout).toBe("Confirmed: guarded ports are closed again.\n");
    expect(await ssh()).toBe("silent");
    expect(await agent.metric('knockgate_mode{mode="enforce"}')).toBe(1);
  }, 30_000);

  test("and is not locked out again by a restart; a right knock closes the port again", async () => {
    const first = await start("1s");
    await first.process.waitForLine("confirmation-lapsed");
    await first.kill();
    const agent = await start("600s", first.folder);
    expect(await ssh()).toBe("open");
    await operator.knock(gate.ipv4, steps);
    await agent.process.waitForLine("confirmation-given");
    await eventually(async () => (await status(agent)).mode === "enforce", { what: "the agent to enforce" });
    await agent.cli("revoke", operator.ipv4);
    expect(await ssh()).toBe("silent");
  }, 30_000);

  test("and gets in on time though the agent is killed again and again, and is not locked out by a boot meanwhile", async () => {
    let agent = await start("4s");
    expect(await ssh()).toBe("silent");
    expect(bootTable(agent)).not.toMatch(dropping);
    const states: string[] = [];
    while (states.at(-1) !== "lapsed" && states.length < 20) {
      await agent.kill();
      agent = await start("4s", agent.folder);
      states.push((await status(agent)).confirmation);
    }
    expect(states.slice(0, 2)).toEqual(["asked", "asked"]);
    expect(states.at(-1)).toBe("lapsed");
    expect(await ssh()).toBe("open");
    await agent.cli("confirm");
    await eventually(async () => dropping.test(bootTable(agent)), {
      what: "the table for the next boot to close ports",
    });
  }, 40_000);

  test("and would not have been with --trust, whose knocks confirm nothing", async () => {
    const trust = ["--trust", operator.ipv4];
    const patient = await start("600s", undefined, trust);
    expect(await ssh()).toBe("open");
    await operator.knock(gate.ipv4, steps);
    await patient.process.waitForLine("grant-added");
    expect(await status(patient)).toMatchObject({ mode: "enforce", confirmation: "asked" });
    await patient.kill();
    const agent = await start("1s", patient.folder, trust);
    await agent.process.waitForLine("confirmation-lapsed");
  }, 30_000);
});

describe("who gets in confirms", () => {
  test("by a right knock, and is not asked again until something changes", async () => {
    const first = await start("600s");
    await operator.knock(gate.ipv4, steps);
    await first.process.waitForLine("confirmation-given");
    expect(await ssh()).toBe("open");
    await first.stop();
    const agent = await start("1s", first.folder);
    expect(await status(agent)).toMatchObject({ mode: "enforce", confirmation: "confirmed" });
    agent.writePolicy("policies.yaml", policies.replace("[22]", "[22, 23]"));
    await agent.process.waitForLine("confirmation-asked");
    await agent.process.waitForLine("confirmation-lapsed");
  }, 30_000);

  test("by the command, which says what it did", async () => {
    const agent = await start("600s");
    expect((await agent.cli("confirm")).stdout).toBe("Confirmed: guarded ports stay closed.\n");
    expect(await status(agent)).toMatchObject({ mode: "enforce", confirmation: "confirmed" });
    expect((await agent.cli("confirm")).stdout).toMatch(/^It was confirmed before/);
    const kept = readFileSync(join(agent.folder, "state", "confirmation.json"), "utf8");
    expect(JSON.parse(kept)).toEqual({ fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/), state: "confirmed" });
  }, 30_000);
});

function start(within: string, folder?: string, args: readonly string[] = []): Promise<AgentProcess> {
  const options = { policies, args: ["--confirm-within", within, ...args] };
  return AgentProcess.start(world, gate, folder === undefined ? options : { ...options, folder });
}

function ssh(): Promise<string> {
  return operator.connect(gate.ipv4, 22, { timeoutMs: 300 });
}

/** The table that is loaded at the next boot. */
function bootTable(agent: AgentProcess): string {
  return readFileSync(join(agent.folder, "state", "ruleset.nft"), "utf8");
}

async function status(agent: AgentProcess): Promise<{ mode: string; confirmation: string; ready: boolean }> {
  return JSON.parse((await agent.http("/statusz")).body);
}
