import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { changedProgram } from "./changed-program.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const hour = 3600;

let world: World;
let gate: Host;
let alice: Host;
let program: string;
let clockFile: string;

beforeEach(async () => {
  world = await World.build("clock", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["3001/tcp"]);
  clockFile = join(world.folder, "clock");
  setClock(0);
  program = changedProgram(world.folder, { "clock.js": shiftedClock(), "capture/pcap-session.js": shiftedSession });
}, 30_000);

afterEach(() => world.remove());

describe.each([
  { direction: "ahead", seconds: hour },
  { direction: "back", seconds: -hour },
])("clock jumps by an hour $direction", ({ seconds }) => {
  test("between two knocks: the sequence is complete, and the log has the new time", async () => {
    const agent = await start({ within: "15s", lasts: "60s" });
    await alice.knock(gate.ipv4, steps.slice(0, 1));
    await counted(agent, "advanced", "tcp");
    setClock(seconds);
    await alice.knock(gate.ipv4, steps.slice(1));
    const { time } = JSON.parse(await agent.process.waitForLine("grant-added")) as { time: string };
    expect(Math.abs(Date.parse(time) / 1000 - Date.now() / 1000 - seconds)).toBeLessThan(60);
    expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
  }, 30_000);

  test("and a knock that is late stays late", async () => {
    const agent = await start({ within: "1s", lasts: "60s" });
    await alice.knock(gate.ipv4, steps.slice(0, 2));
    await counted(agent, "advanced", "udp");
    setClock(seconds);
    await pause(1200); // longer than the window
    await alice.knock(gate.ipv4, steps.slice(2));
    await counted(agent, "expired", "tcp");
    expect(agent.process.text).not.toContain("grant-added");
  }, 30_000);

  test("while a door is open: it closes on time", async () => {
    const agent = await start({ within: "15s", lasts: "4s" });
    await alice.knock(gate.ipv4, steps);
    await agent.process.waitForLine("grant-added");
    const openedAt = performance.now();
    const passed = () => (performance.now() - openedAt) / 1000;
    setClock(seconds);
    const [grant] = JSON.parse((await agent.cli("grants", "-o", "json")).stdout) as { leftSeconds: number }[];
    expect(Math.abs((grant?.leftSeconds ?? 0) + passed() - 4)).toBeLessThan(1);
    expect(await alice.connect(gate.ipv4, 3001)).toBe("open");
    await agent.process.waitForLine("grant-expired");
    expect(Math.abs(passed() - 4)).toBeLessThan(1);
    expect(await alice.connect(gate.ipv4, 3001, { timeoutMs: 300 })).toBe("silent");
    expect((await agent.http("/readyz")).status).toBe(200);
  }, 30_000);
});

function start({ within, lasts }: { within: string; lasts: string }): Promise<AgentProcess> {
  const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door, namespace: faults }
spec:
  knock: { steps: [${steps.join(", ")}], within: ${within} }
  opens: { ports: [3001], for: ${lasts} }
`;
  return AgentProcess.start(world, gate, { policies, program });
}

/** Resolves when one knock has had this outcome. */
async function counted(agent: AgentProcess, outcome: string, protocol: string): Promise<void> {
  const series = `knockgate_knocks_total{outcome="${outcome}",family="ipv4",protocol="${protocol}"}`;
  await eventually(async () => (await agent.metric(series)) === 1, { what: `one ${protocol} knock ${outcome}` });
}

/**
 * Nobody can set the clock of one network namespace. So the agent and its capture child read the time of the wall, and the
 * stamps that libpcap hands over, with what stands in a file added to them: for both the clock jumps in one moment.
 */
function setClock(aheadSeconds: number): void {
  const file = openSync(clockFile, constants.O_WRONLY | constants.O_CREAT);
  writeSync(file, new Uint8Array(new Float64Array([aheadSeconds * 1e6]).buffer), 0, 8, 0);
  closeSync(file);
}

/** The clock of the program. The file stays open: a child that has become nobody may not open it any more. */
function shiftedClock(): string {
  return `import { openSync, readSync } from "node:fs";
import { systemClock as trueClock } from "./true-clock.js";
export * from "./true-clock.js";
const file = openSync(${JSON.stringify(clockFile)}, "r");
const ahead = new Float64Array(1);
export function aheadMicros() {
  readSync(file, new Uint8Array(ahead.buffer), 0, 8, 0);
  return ahead[0];
}
export const systemClock = { ...trueClock, wallMicros: () => trueClock.wallMicros() + aheadMicros() };
`;
}

/** The capture of the child, whose packets are stamped by the same clock. */
const shiftedSession = `import { aheadMicros } from "../clock.js";
import { PcapSession as TrueSession } from "./true-pcap-session.js";
export * from "./true-pcap-session.js";
export class PcapSession extends TrueSession {
  constructor(device, filter, packet, woken) {
    super(device, filter, (bytes, length, stamp) => packet(bytes, length, stamp + aheadMicros()), woken);
  }
}
`;
