import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../fuzz/random.ts";
import { eventually } from "../netns/eventually.ts";
import { PacketSender } from "../netns/packet-sender.ts";
import { childOf } from "../netns/process-usage.ts";
import type { WirePacket } from "../netns/wire-frame.ts";
import type { DoorModel } from "./door-model.ts";
import { doorsFile, doorsText, extraPolicy, type SoakWorld, soakPolicies } from "./soak-world.ts";

/** What faults work with. */
export interface Scene {
  readonly world: SoakWorld;
  readonly model: DoorModel;
  readonly random: Random;
}

/** One of the things that happen; resolves when it is over, but not yet mended. */
export interface Fault {
  readonly name: string;
  /** Knocks may be lost from its begin until the agent is ready again. */
  readonly outage: boolean;
  play(scene: Scene): Promise<void>;
}

const captureSignal =
  (signal: NodeJS.Signals) =>
  async ({ world }: Scene) => {
    process.kill(childOf(world.agent.process.pid, "capture-child"), signal);
  };

const nft =
  (...commands: readonly string[]) =>
  async ({ world, model }: Scene) => {
    model.tableSpoiled();
    await world.gate.expect("nft", ["-f", "-"], { input: `${commands.join("\n")}\n` });
    model.tableSpoiled();
  };

const table = "inet knockgate";

/** The faults of "What happens when…" that can be played beside each other for hours. */
export const faults: readonly Fault[] = [
  { name: "capture child killed", outage: true, play: captureSignal("SIGKILL") },
  { name: "capture child stopped", outage: true, play: captureSignal("SIGSTOP") },
  { name: "link down and up", outage: true, play: linkDownAndUp },
  { name: "agent killed and started", outage: true, play: agentAgain("SIGKILL") },
  { name: "agent ended and started", outage: true, play: agentAgain("SIGTERM") },
  { name: "ruleset flushed", outage: false, play: nft("flush ruleset") },
  { name: "table deleted", outage: false, play: nft(`delete table ${table}`) },
  { name: "rules flushed", outage: false, play: nft(`flush chain ${table} gate`) },
  { name: "set deleted", outage: false, play: nft(`flush chain ${table} gate`, `delete set ${table} granted4`) },
  { name: "guard deleted", outage: false, play: nft(`delete element ${table} guarded { tcp . 4101 }`) },
  { name: "element deleted", outage: false, play: deleteElement },
  { name: "good configuration", outage: false, play: comeAndGo },
  { name: "bad configuration", outage: false, play: badConfiguration },
  { name: "empty configuration", outage: false, play: emptyConfiguration },
  { name: "SIGHUP", outage: false, play: async ({ world }) => world.agent.process.signal("SIGHUP") },
  { name: "flood of junk", outage: false, play: flood },
];

async function linkDownAndUp({ world, random }: Scene): Promise<void> {
  await world.gate.expect("ip", ["link", "set", world.gate.link, "down"]);
  await pause(100 + random.below(900));
  await world.gate.expect("ip", ["link", "set", world.gate.link, "up"]);
}

function agentAgain(signal: "SIGKILL" | "SIGTERM") {
  return async ({ world, random }: Scene) => {
    await world.agent.process.stop(signal);
    await pause(random.below(3000));
    await world.startAgain();
  };
}

/** Somebody closes a door by hand: it must stay closed. */
async function deleteElement({ world, model, random }: Scene): Promise<void> {
  const open = model.doors.filter(({ busy, open }) => !busy && (open?.earliest ?? 0) > performance.now() + 4000);
  if (open.length === 0) return;
  const door = random.pick(open);
  door.busy = true;
  try {
    const [port = ""] = door.policy.ports;
    const from = world.agent.process.lines.length;
    const set = door.source.includes(":") ? "granted6" : "granted4";
    const elements = door.policy.ports.map((each) => `${door.source} . ${each}`).join(", ");
    await world.gate.expect("nft", [`delete element ${table} ${set} { ${elements} }`]);
    const revoked = new RegExp(`grant-revoked.*"${door.source}".*${port.split(" ")[2]}.*kernel`);
    await world.agent.process.waitForLine(revoked, { from, timeoutMs: 3000 });
    model.closed(door);
  } finally {
    door.busy = false;
  }
}

async function comeAndGo({ world }: Scene): Promise<void> {
  world.agent.writePolicy("extra.yaml", extraPolicy);
  await pause(1500);
  const { lines } = world.agent.process;
  const from = lines.length;
  world.agent.writePolicy("extra.yaml", "# nothing any more\n");
  await world.agent.process.waitForLine("config-accepted", { from });
}

async function badConfiguration({ world, random }: Scene): Promise<void> {
  world.agent.writePolicy(doorsFile, random.pick(["spec: [", doorsText.replaceAll("4101", "70000"), "\0\0\0"]));
  await pause(1500);
  world.agent.writePolicy(doorsFile, doorsText);
}

/** As a careless editor does: truncated, and written a moment later. */
async function emptyConfiguration({ world, random }: Scene): Promise<void> {
  const file = join(world.agent.folder, "config", doorsFile);
  writeFileSync(file, "");
  await pause(random.below(400));
  writeFileSync(file, doorsText.slice(0, doorsText.length >> 1));
  await pause(random.below(200));
  writeFileSync(file, doorsText);
}

/**
 * 10,000 packets at 5,000 a second from 2,000 spoofed addresses: first steps, other steps, anything, but no last step: by
 * chance some would be right knocks.
 */
async function flood({ world, random }: Scene): Promise<void> {
  const steps = soakPolicies.flatMap((policy) => policy.steps.slice(0, -1));
  const packets = Array.from({ length: 10_000 }, (_, at): WirePacket => {
    const step = at % 3 === 0 ? `${10_000 + random.below(50_000)}/udp` : random.pick(steps);
    const [port, protocol] = step.split("/");
    return {
      source: `10.77.${64 + (at % 8)}.${1 + (at % 250)}`,
      target: world.gate.ipv4,
      protocol: protocol === "udp" ? "udp" : "tcp",
      port: Number(port),
      sourcePort: 1024 + random.below(60_000),
      sequenceNumber: random.word(),
    };
  });
  await new PacketSender(world.world, world.flooder, world.gate).send(packets, { perSecond: 5000 });
}

/** Resolves to the milliseconds until the agent was ready; it is not asked before it can have noticed. */
export async function mended({ world, model }: Scene): Promise<number> {
  const began = performance.now();
  const isReady = async () => (await world.agent.http("/readyz")).status === 200;
  await eventually(async () => model.tableHolds && (await isReady()), {
    what: `the agent to be ready\n${world.agent.process.lines.slice(-40).join("\n")}`,
    timeoutMs: 20_000,
    everyMs: 50,
  });
  return performance.now() - began;
}
