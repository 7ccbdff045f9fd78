import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { RunResult } from "./running-process.ts";
import { UnitFile } from "./unit-file.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [22, 2203/udp], for: 300s }
`;
const families = ["ipv4", "ipv6"] as const;
const short = { timeoutMs: 300 };
const boot = new UnitFile("knockgate-boot.service");

let world: World;
let gate: Host;
let friend: Host;
let stranger: Host;

beforeEach(async () => {
  world = await World.build("reboot", ["gate", "friend", "stranger"]);
  [gate, friend, stranger] = [world.host("gate"), world.host("friend"), world.host("stranger")];
  await gate.serve(["22/tcp", "2203/udp", "80/tcp", "443/tcp"]);
  await stranger.serve(["22/tcp"]);
}, 30_000);

afterEach(() => world.remove());

describe("reboot", () => {
  test("the last table is loaded before the network is up: guarded ports are closed without an agent, and open again with one", async () => {
    const { folder, loaded } = await reboot(["--trust", friend.ipv4, "--trust", friend.ipv6]);
    expect(loaded).toMatchObject({ code: 0, stdout: "", stderr: "" });
    for (const family of families) {
      expect(await stranger.connect(gate[family], 22, short)).toBe("silent");
      expect(await stranger.udp(gate[family], 2203, short)).toBe("silent");
      expect(await stranger.connect(gate[family], 80)).toBe("open");
      expect(await friend.connect(gate[family], 22)).toBe("open");
      expect(await friend.udp(gate[family], 2203)).toBe("echo hello");
      const begunHere = await gate.hold(stranger[family], 22);
      expect(await begunHere.exchange("")).toContain("welcome");
      expect(await begunHere.exchange("and back")).toBe("and back");
      await begunHere.close();
    }
    const agent = await AgentProcess.start(world, gate, { folder });
    expect(await stranger.connect(gate.ipv4, 22, short)).toBe("silent");
    await stranger.knock(gate.ipv4, steps);
    await agent.process.waitForLine("grant-added");
    expect(await stranger.connect(gate.ipv4, 22)).toBe("open");
  }, 40_000);

  test("a table that only observes drops nothing, and goes on counting", async () => {
    const { loaded } = await reboot(["--mode", "observe"]);
    expect(loaded.code).toBe(0);
    for (const family of families) expect(await stranger.connect(gate[family], 22)).toBe("open");
    expect(await gate.expect("nft", ["list", "counters", "table", "inet", "knockgate"])).toMatch(/packets [1-9]/);
  }, 40_000);

  test("a table that drops everything lets in who is served, and trusted, and nobody else", async () => {
    const { loaded } = await reboot(["--default-drop", "--serve", "443", "--trust", friend.ipv4]);
    expect(loaded.code).toBe(0);
    expect(await stranger.connect(gate.ipv4, 80, short)).toBe("silent");
    expect(await stranger.connect(gate.ipv4, 22, short)).toBe("silent");
    expect(await stranger.connect(gate.ipv4, 443)).toBe("open");
    expect(await friend.connect(gate.ipv4, 80)).toBe("open");
    expect(await gate.connect(stranger.ipv4, 22)).toBe("open");
  }, 40_000);

  test("the unit run again, over the table of an agent at work, changes nothing and closes no open door", async () => {
    const agent = await AgentProcess.start(world, gate, { policies });
    await stranger.knock(gate.ipv4, steps);
    await agent.process.waitForLine("grant-added");
    const before = withoutClocks(await agent.table());
    for (const _ of ["once", "twice"]) expect((await runUnit(agent.folder)).code).toBe(0);
    const ranAt = Date.now() / 1000;
    expect(withoutClocks(await agent.table())).toBe(before);
    expect(before).toContain(stranger.ipv4);
    expect(await stranger.connect(gate.ipv4, 22)).toBe("open");
    const compared = async () => ((await agent.metric("knockgate_nftables_last_sync_timestamp_seconds")) ?? 0) > ranAt;
    await eventually(compared, { what: "the agent to compare the table" });
    expect(await agent.metric("knockgate_nftables_drift_total")).toBe(0);
  }, 40_000);
});

/**
 * Plays a reboot: an agent that ran is gone, the kernel forgets all rules, and with its link down the host runs what the unit
 * says. Only then the link comes up.
 */
async function reboot(args: readonly string[]): Promise<{ readonly folder: string; readonly loaded: RunResult }> {
  const { folder, ...agent } = await AgentProcess.start(world, gate, { policies, args });
  await agent.process.stop("SIGKILL");
  await gate.expect("nft", ["flush", "ruleset"]);
  await gate.expect("ip", ["link", "set", gate.link, "down"]);
  const loaded = await runUnit(folder);
  await gate.expect("ip", ["link", "set", gate.link, "up"]);
  await gate.expect("ip", ["address", "replace", `${gate.ipv6}/64`, "dev", gate.link, "nodad"]); // it goes with the link
  return { folder, loaded };
}

/** Runs the command of the boot unit, as it stands there, for an agent's state. */
function runUnit(folder: string): Promise<RunResult> {
  const [command = "", ...args] = boot.command(join(folder, "state"));
  return gate.run(command, args);
}

/** What time alone changes in a listing is left out. */
function withoutClocks(table: string): string {
  return table.replaceAll(/ expires \w+/g, "").replaceAll(/packets \d+ bytes \d+/g, "");
}
