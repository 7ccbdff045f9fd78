import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { SshService } from "./ssh-service.ts";
import { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const knocks = {
  "by TCP": { port: 2101, steps: ["8845/tcp", "7312/tcp", "9127/tcp"] },
  "by UDP": { port: 2102, steps: ["8846/udp", "7313/udp", "9128/udp"] },
  "by both": { port: 2103, steps: ["7314/udp", "8847/tcp", "9129/udp"] },
} as const;
const several = ["8848/tcp", "7315/udp", "9130/tcp"];
const shut = [...several].reverse();
const short = ["8849/tcp", "7316/udp", "9131/tcp"];
const lasting = ["8850/tcp", "7317/udp", "9132/tcp"];
const shell = ["8851/tcp", "7318/udp", "9133/tcp"];

const policies = [
  ...Object.entries(knocks).map(([name, { port, steps }]) =>
    policy(name.replace(" ", "-").toLowerCase(), steps, `{ ports: [${port}], for: 60s }`),
  ),
  policy("several", several, "{ ports: [21, 22, 80, 6000-6002/udp], for: 60s }", shut),
  policy("short", short, "{ ports: [2104], for: 2s }"),
  policy("lasting", lasting, "{ ports: [2105], for: 0s }"),
  policy("shell", shell, "{ ports: [2222], for: 60s }"),
].join("---\n");

let world: World;
let gate: Host;
let alice: Host;
let bob: Host;
let agent: AgentProcess;

beforeAll(async () => {
  world = await World.build("doors", ["gate", "alice", "bob"]);
  [gate, alice, bob] = [world.host("gate"), world.host("alice"), world.host("bob")];
  const served = ["21/tcp", "22/tcp", "80/tcp", "6000/udp", "6002/udp", "2104/tcp", "2105/tcp"];
  await gate.serve([...served, ...Object.values(knocks).map(({ port }) => `${port}/tcp`)]);
  agent = await AgentProcess.start(world, gate, { policies });
}, 30_000);

afterAll(async () => {
  await world.remove();
});

describe.each(["ipv4", "ipv6"] as const)("over %s a door", (family) => {
  test.each(Object.entries(knocks))("%s opens for the source that knocked and for no other", async (_, knock) => {
    expect(await connect(alice, family, knock.port)).toBe("silent");
    await knocked(alice, family, knock.steps);
    expect(await connect(alice, family, knock.port)).toBe("open");
    expect(await connect(bob, family, knock.port)).toBe("silent");
  });

  test("of several ports opens all of them at once, and closes all by the closing sequence", async () => {
    await knocked(alice, family, several);
    for (const port of [21, 22, 80]) expect(await connect(alice, family, port)).toBe("open");
    for (const port of [6000, 6002]) expect(await alice.udp(gate[family], port, { timeoutMs: 300 })).not.toBe("silent");
    expect(await connect(bob, family, 22)).toBe("silent");
    const from = agent.process.lines.length;
    await alice.knock(gate[family], shut);
    expect(await agent.process.waitForLine(/grant-revoked.*bastion\/several/, { from })).toContain("closedBy");
    for (const port of [21, 22, 80]) expect(await connect(alice, family, port)).toBe("silent");
  });
});

test("ssh gets in after the knock and not before", async () => {
  const service = await SshService.start(world, gate, 2222);
  const before = await service.ssh(alice, gate.ipv4, "echo in", 1);
  expect(before.code).toBe(255);
  await knocked(alice, "ipv4", shell);
  const after = await service.ssh(alice, gate.ipv4, "echo in");
  expect(after.stdout).toBe("in\n");
  expect((await service.ssh(bob, gate.ipv4, "echo in", 1)).code).toBe(255);
});

test("the client knocks, waits for the port and says how long it took", async () => {
  await agent.cli("revoke", alice.ipv4);
  const args = ["knock", "--open", "2103", gate.ipv4, ...knocks["by both"].steps];
  const { code, stdout } = await alice.run(process.execPath, [program, ...args]);
  expect(stdout).toMatch(/2103.*\d+ ms/);
  expect(code).toBe(0);
});

describe("a door closes", () => {
  test("within a second of its deadline", async () => {
    await knocked(alice, "ipv4", short);
    expect(await secondsUntilClosed(2104)).toSatisfy(isAboutTwo);
    await agent.process.waitForLine(/grant-expired.*bastion\/short/);
  });

  test("at its deadline when the agent was killed in between, and guarded ports stay guarded", async () => {
    await knocked(alice, "ipv4", lasting);
    await knocked(alice, "ipv4", short);
    await agent.kill();
    expect(await secondsUntilClosed(2104)).toSatisfy(isAboutTwo);
    expect(await connect(alice, "ipv4", 2105)).toBe("open");
    expect(await connect(bob, "ipv4", 2105)).toBe("silent");
  });

  test("by revocation after a restart, from a ledger that the kernel kept", async () => {
    const offline = await agent.cli("grants");
    expect(offline.stderr).toContain("asking the kernel");
    expect(offline.stdout).toMatch(new RegExp(`${alice.ipv4} +2105/tcp +[0-9a-f]{8} +until closed`));
    agent = await AgentProcess.start(world, gate, { folder: agent.folder });
    const rows = JSON.parse((await agent.cli("grants", "-o", "json")).stdout) as {
      port: string;
      leftSeconds: number;
    }[];
    expect(rows).toContainEqual({
      source: alice.ipv4,
      port: "2105/tcp",
      sequences: ["bastion/lasting"],
      leftSeconds: null,
    });
    const revoked = await agent.cli("revoke", alice.ipv4, "--sequence", "bastion/lasting");
    expect(revoked.stdout).toBe(`1 port was closed for ${alice.ipv4}.\n`);
    expect(await connect(alice, "ipv4", 2105)).toBe("silent");
    expect((await agent.cli("revoke", alice.ipv4, "--sequence", "bastion/lasting")).code).toBe(1);
  });

  test("when somebody deletes the element, which counts as a revocation", async () => {
    await knocked(alice, "ipv4", lasting);
    const from = agent.process.lines.length;
    const element = `{ ${alice.ipv4} . tcp . 2105 }`;
    await gate.expect("nft", ["delete", "element", "inet", "knockgate", "granted4", element]);
    await agent.process.waitForLine(/grant-revoked.*bastion\/lasting.*kernel/, { from });
    expect(await connect(alice, "ipv4", 2105)).toBe("silent");
  });
});

test("a watcher sees how far a source came and why it failed, and never a step's port", async () => {
  const watching = gate.start(process.execPath, [program, "watch", "--socket", `${agent.folder}/agent.sock`, bob.ipv4]);
  await eventually(
    async () => {
      await bob.knock(gate.ipv4, [...short].reverse());
      return watching.lines.some((line) => line.includes("reset") || line.includes("advanced"));
    },
    { what: "the watcher to be connected", everyMs: 100 },
  );
  const from = watching.lines.length;
  await bob.knock(gate.ipv4, [short[0] ?? "", short[2] ?? ""]);
  await bob.knock(gate.ipv4, short);
  await watching.waitForLine(/grant-added/, { from });
  const told = watching.lines.slice(from).map((line) => line.split("\t").slice(1, 5).join(" "));
  expect(told).toContain(`${bob.ipv4} bastion/short reset 0/3`);
  expect(told).toContain(`${bob.ipv4} bastion/short advanced 1/3`);
  expect(told).toContain(`${bob.ipv4} bastion/short completed 3/3`);
  for (const step of short) expect(watching.text).not.toContain(step.split("/")[0]);
});

test("neither log nor metrics nor status hold a step; metrics and status hold no source", async () => {
  const steps = [...Object.values(knocks).flatMap(({ steps }) => steps), ...several, ...short, ...lasting, ...shell];
  const pages = await Promise.all(["/metrics", "/statusz", "/readyz"].map((path) => agent.http(path)));
  const shown = pages.map(({ body }) => body).join("\n");
  for (const address of [alice.ipv4, alice.ipv6, bob.ipv4]) expect(shown).not.toContain(address);
  const log = agent.process.text;
  for (const step of steps) {
    const port = new RegExp(`\\b${step.split("/")[0]}\\b`);
    expect(shown).not.toMatch(port);
    expect(log).not.toMatch(port);
  }
});

function policy(name: string, steps: readonly string[], opens: string, closedBy?: readonly string[]): string {
  const closing = closedBy === undefined ? "" : `  closedBy: { steps: [${closedBy.join(", ")}] }\n`;
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: ${opens}
${closing}`;
}

function connect(from: Host, family: "ipv4" | "ipv6", port: number): Promise<string> {
  return from.connect(gate[family], port, { timeoutMs: 300 });
}

/** Knocks and waits until the agent says that the kernel has the grant. */
async function knocked(from: Host, family: "ipv4" | "ipv6", steps: readonly string[]): Promise<void> {
  const lines = agent.process.lines.length;
  await from.knock(gate[family], steps);
  await agent.process.waitForLine(/grant-(added|renewed)/, { from: lines });
}

/** How long after now the port is last seen open; attempts overlap, so that a silent one does not delay the finding. */
async function secondsUntilClosed(port: number): Promise<number> {
  const began = performance.now();
  let lastOpen = began;
  const ask = async () => {
    const asked = performance.now();
    const outcome = await alice.connect(gate.ipv4, port, { timeoutMs: 150 });
    if (outcome === "open") lastOpen = asked;
    return outcome === "silent";
  };
  await eventually(ask, { what: `port ${port} to close`, everyMs: 10 });
  return (lastOpen - began) / 1000;
}

function isAboutTwo(seconds: number): boolean {
  return seconds > 1.5 && seconds < 3;
}
