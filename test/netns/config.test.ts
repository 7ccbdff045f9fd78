import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const first = policy("first", ["8845/tcp", "7312/udp", "9127/tcp"], 3001);
const second = policy("second", ["8846/tcp", "7313/udp", "9128/tcp"], 3002);

let world: World;
let gate: Host;
let alice: Host;

beforeEach(async () => {
  world = await World.build("config", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["3001/tcp", "3002/tcp"]);
}, 30_000);

afterEach(async () => {
  await world.remove();
});

describe("a running agent", () => {
  test("takes a new file and a changed one, and keeps what is half done in the others", async () => {
    const agent = await AgentProcess.start(world, gate, { policies: first });
    await alice.knock(gate.ipv4, ["8845/tcp", "7312/udp"]);
    await eventually(async () => (await agent.metric("knockgate_tracked_sources")) === 1, { what: "the knocks" });
    agent.writePolicy("second.yaml", second);
    await guardedPorts(agent, 2);
    await alice.knock(gate.ipv4, ["9127/tcp"]);
    await agent.process.waitForLine(/grant-added.*ports\/first/);
    await alice.knock(gate.ipv4, ["8846/tcp", "7313/udp", "9128/tcp"]);
    await agent.process.waitForLine(/grant-added.*ports\/second/);
    agent.writePolicy("second.yaml", policy("second", ["8846/tcp", "7313/udp", "9128/tcp"], 3003));
    await agent.process.waitForLine(/grant-revoked.*ports\/second.*policy-gone/);
    expect(await agent.elements("guarded")).toEqual(["tcp . 3001", "tcp . 3003"]);
  }, 30_000);

  test.each([
    { name: "broken YAML", text: "spec: [" },
    { name: "a rejected version", text: first.replace("3001", "70000") },
  ])(
    "keeps guarding and granting with $name in place of a good file",
    async ({ text }) => {
      const agent = await AgentProcess.start(world, gate, { policies: first });
      agent.writePolicy("policies.yaml", text);
      await agent.process.waitForLine(/config-refused|policy-problem/);
      expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
      await alice.knock(gate.ipv4, ["8845/tcp", "7312/udp", "9127/tcp"]);
      await agent.process.waitForLine(/grant-added.*ports\/first/);
      expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
    },
    30_000,
  );

  test("follows the ..data swap of a mounted ConfigMap", async () => {
    const folder = join(world.folder, "mounted");
    const version = (name: string, text: string) => {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "policy.yaml"), text);
    };
    version("..2026_01", first);
    symlinkSync("..2026_01", join(folder, "..data"));
    symlinkSync("..data/policy.yaml", join(folder, "policy.yaml"));
    const agent = await AgentProcess.start(world, gate, { args: ["--config", folder] });
    version("..2026_02", second);
    symlinkSync("..2026_02", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    await eventually(async () => (await agent.elements("guarded")).join() === "tcp . 3002", {
      what: "the new version",
    });
  }, 30_000);

  test("unguards a port when its file is really gone, after a second look", async () => {
    const agent = await AgentProcess.start(world, gate, { policies: first });
    unlinkSync(join(agent.folder, "config", "policies.yaml"));
    await guardedPorts(agent, 0);
    expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
  }, 30_000);

  test("reads again on SIGHUP", async () => {
    const agent = await AgentProcess.start(world, gate, { policies: first });
    const from = agent.process.lines.length;
    agent.process.signal("SIGHUP");
    await agent.process.waitForLine("config-accepted", { from });
  }, 30_000);
});

describe("an agent that starts", () => {
  test("with a broken file and nothing kept of before keeps guarding what the table guards", async () => {
    const before = await AgentProcess.start(world, gate, { policies: first });
    await before.kill();
    rmSync(join(before.folder, "state"), { recursive: true });
    const agent = AgentProcess.launch(world, gate, { folder: before.folder, policies: "spec: [" });
    await agent.process.waitForLine("config-refused");
    expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
    agent.writePolicy("policies.yaml", second);
    await eventually(async () => (await agent.elements("guarded")).join() === "tcp . 3002", {
      what: "the mended file",
    });
    await agent.ready();
  }, 30_000);

  test("without the file of a policy keeps guarding its port until the file is back, and no longer than that", async () => {
    const both = { "first.yaml": first, "second.yaml": second };
    const before = await AgentProcess.start(world, gate, { policies: both });
    await before.kill();
    const missing = join(before.folder, "config", "first.yaml");
    renameSync(missing, `${missing}.away`);
    const agent = AgentProcess.launch(world, gate, { folder: before.folder, args: ["--config", missing] });
    await agent.process.waitForLine("config-refused");
    expect(await agent.elements("guarded")).toEqual(["tcp . 3001", "tcp . 3002"]);
    agent.writePolicy("first.yaml", policy("first", ["8845/tcp", "7312/udp", "9127/tcp"], 3004));
    const mended = async () => (await agent.elements("guarded")).join() === "tcp . 3002,tcp . 3004";
    await eventually(mended, { what: "the mended file" });
  }, 30_000);

  test("with nothing good at all is not ready, says why and guards nothing", async () => {
    const agent = AgentProcess.launch(world, gate, { policies: "spec: [" });
    await agent.process.waitForLine("config-refused");
    const answer = await agent.http("/readyz");
    expect(answer.status).toBe(503);
    expect(answer.body).toContain("config:");
    expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
  }, 30_000);
});

async function guardedPorts(agent: AgentProcess, count: number): Promise<void> {
  const isSo = async () => (await agent.elements("guarded")).length === count;
  await eventually(isSo, { what: `${count} guarded ports` });
}

function policy(name: string, steps: readonly string[], port: number): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: ports }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [${port}], for: 60s }
`;
}
