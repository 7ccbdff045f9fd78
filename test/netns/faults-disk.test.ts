import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { type Host, programPath } from "./host.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];

let world: World;
let gate: Host;
let alice: Host;

beforeEach(async () => {
  world = await World.build("faultdisk", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["3001/tcp", "3002/tcp"]);
}, 30_000);

afterEach(async () => {
  await world.remove();
});

test("disk full for --state-dir at the start: it guards and grants, and log, metric and status say what is not kept", async () => {
  const agent = await startOnDisk("16k", "filled");
  await agent.process.waitForLine(/"nftables-warned".*could not be kept for the next boot: ENOSPC/);
  await agent.process.waitForLine(/"agent-warned".*policies could not be kept for a restart: ENOSPC/);
  await expectNotKept(agent);
  await expectDoorOpens(agent);
});

test("disk full for --state-dir at a reload: the new policies are in force, and the file from before is whole", async () => {
  const agent = await startOnDisk("64k", "empty");
  expect(await agent.metric("knockgate_boot_table_kept")).toBe(1);
  const before = await onDisk(agent, "cat ruleset.nft policies.json");
  await onDisk(agent, "cat /dev/zero > fill || true");
  const from = agent.process.lines.length;
  agent.writePolicy("policies.yaml", policy([3001, 3002]));
  await agent.process.waitForLine(/"nftables-warned".*ENOSPC/, { from });
  await agent.process.waitForLine(/"agent-warned".*ENOSPC/, { from });
  await expectNotKept(agent);
  expect(await onDisk(agent, "cat ruleset.nft policies.json")).toBe(before);
  expect(await onDisk(agent, "ls")).toBe("fill\npolicies.json\nruleset.nft\n");
  expect(await alice.connect(gate.ipv4, 3002, { timeoutMs: 300 })).toBe("silent");
  await expectDoorOpens(agent);
  await onDisk(agent, "rm fill");
  await gate.expect("nft", ["flush", "ruleset"]); // the table is looked at again, and so is the file
  await agent.process.waitForLine(/"nftables-intact"/, { from });
  expect(await agent.metric("knockgate_boot_table_kept")).toBe(1);
  expect(await onDisk(agent, "cat ruleset.nft")).toContain("3002");
});

test("a full disk under what a command prints: each says so and ends with 1", async () => {
  const agent = await AgentProcess.start(world, gate, { policies: policy([3001]), args: ["--confirm-within", "1h"] });
  const [config, socket, conf] = [
    join(agent.folder, "config"),
    join(agent.folder, "agent.sock"),
    join(world.folder, "knockd.conf"),
  ];
  writeFileSync(conf, "[door]\nsequence = 7000,8000\ncommand = /bin/true\n");
  const commands = [
    ["ruleset", "--config", config],
    ["check", config, "-o", "json"],
    ["convert", conf],
    ["doctor", "--config", config],
    ["grants", "--socket", socket],
    ["confirm", "--socket", socket],
    ["knock", "-v", "127.0.0.1", "3001"],
    ["knockd", "--help"],
    ["--help"],
  ];
  const endings = await Promise.all(
    commands.map(async (args) => {
      const command = [
        "-c",
        'exec "$@" >/dev/full',
        "sh",
        process.execPath,
        programPath("../../dist/main.js"),
        ...args,
      ];
      const { code, stderr } = await gate.run("sh", command);
      return [args[0], code, /^error: Standard output cannot be written to the end \(ENOSPC\): .*$/m.test(stderr)];
    }),
  );
  expect(endings).toEqual(commands.map(([name]) => [name, 1, true]));
});

/** An agent whose state folder is a small file system of its own; the mount is seen by nobody else and goes with it. */
function startOnDisk(size: string, state: "filled" | "empty"): Promise<AgentProcess> {
  const folder = join(world.folder, "agent");
  const fill = state === "filled" ? "cat /dev/zero > $1/fill; " : "";
  const script = `mkdir -p $1 && mount -t tmpfs -o size=${size} none $1 && { ${fill}shift; exec "$@"; }`;
  const through = ["sh", "-c", script, "sh", join(folder, "state")];
  return AgentProcess.start(world, gate, { folder, policies: policy([3001]), through });
}

/** Runs a script in the state folder as the agent sees it. */
async function onDisk(agent: AgentProcess, script: string): Promise<string> {
  const inside = ["-t", String(agent.process.pid), "-m", "sh", "-c", `cd ${join(agent.folder, "state")} && ${script}`];
  return gate.expect("nsenter", inside);
}

async function expectNotKept(agent: AgentProcess): Promise<void> {
  expect(await agent.metric("knockgate_boot_table_kept")).toBe(0);
  const { bootTable, ready } = JSON.parse((await agent.http("/statusz")).body);
  expect(bootTable).toMatchObject({ kept: false, reason: expect.stringContaining("ENOSPC") });
  expect(ready).toBe(true);
}

async function expectDoorOpens(agent: AgentProcess): Promise<void> {
  expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
  const from = agent.process.lines.length;
  await alice.knock(gate.ipv4, steps);
  await agent.process.waitForLine('"grant-added"', { from });
  expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
}

function policy(ports: readonly number[]): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: faults }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [${ports.join(", ")}], for: 60s }
`;
}
