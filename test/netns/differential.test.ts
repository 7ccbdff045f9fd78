import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { confOf, type RandomDoor, type RandomPacket, randomDoors, randomScript } from "../fake/random-doors.ts";
import { playStrictly } from "../fake/strict-model.ts";
import { Random } from "../fuzz/random.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import type { RunningProcess } from "./running-process.ts";
import type { WirePacket } from "./wire-frame.ts";
import { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
/** `npm run test:differential` asks for more, or for the same again. */
const scripts = Number(process.env.KNOCKGATE_DIFFERENTIAL_SCRIPTS ?? 300);
const seed = Number(process.env.KNOCKGATE_DIFFERENTIAL_SEED ?? Math.floor(Math.random() * 2 ** 31));
const scriptsPerFile = 100;
/** Slow enough for knockd, which writes its lines in the packet's path. */
const packetsPerSecond = 2500;

let world: World;
let gate: Host;
let alice: Host;
const targets = { ipv4: ["10.77.0.1", "10.77.0.101"], ipv6: ["fd77::1", "fd77::101"] } as const;

beforeAll(async () => {
  world = await World.build("differential", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  for (const address of ["10.77.0.101/16", "fd77::101/64"])
    await gate.expect("ip", ["address", "add", address, "dev", gate.link, "nodad"]);
}, 30_000);

afterAll(async () => {
  await world.remove();
});

/** What one source sends in one file's run. */
interface Script {
  readonly source: string;
  readonly packets: readonly RandomPacket[];
}

function scriptsFor(random: Random, doors: readonly RandomDoor[], count: number): readonly Script[] {
  return Array.from({ length: count }, (_, at) => {
    const family = random.oneIn(3) ? "ipv6" : "ipv4";
    const source =
      family === "ipv6" ? `fd77::8:${(at + 1).toString(16)}` : `10.77.${128 + (at >> 7)}.${1 + (at & 127)}`;
    return { source, packets: randomScript(random, doors, targets[family]) };
  });
}

const farewell = { source: "10.77.127.1", port: 1999 };

/** One script after the other, each packet one of its own, and a last knock by which the end is known. */
function wirePackets(all: readonly Script[]): readonly WirePacket[] {
  const sent = all.flatMap(({ source, packets }) => packets.map((packet) => ({ source, ...packet })));
  const last = { source: farewell.source, target: targets.ipv4[0], protocol: "udp", port: farewell.port } as const;
  return [...sent, last].map((packet, at) => ({
    ...packet,
    sourcePort: 10_000 + (at % 50_000),
    sequenceNumber: at + 1,
    ipId: at % 65_536,
  }));
}

/** Doors that opened, by source, as the program has printed them. */
function openedBy({ lines }: RunningProcess): ReadonlyMap<string, readonly string[]> {
  const opened = new Map<string, string[]>();
  for (const line of lines) {
    const [, source = "", door = ""] = /^(\S+): (\S+): OPEN SESAME$/.exec(line) ?? [];
    if (door !== "") opened.set(source, [...(opened.get(source) ?? []), door]);
  }
  return opened;
}

/** Both programs at once, on the same packets. */
async function playBoth(doors: readonly RandomDoor[], all: readonly Script[], file: number) {
  const conf = join(world.folder, `random-${file}.conf`);
  writeFileSync(conf, confOf(doors));
  const env = {
    KNOCKGATE_STATE_DIR: join(world.folder, "state"),
    KNOCKGATE_SOCKET: join(world.folder, "agent.sock"),
  };
  const args = ["-c", conf, "-i", gate.link, "-v"];
  const real = gate.start("knockd", args);
  const ours = gate.start(process.execPath, [program, "knockd", ...args], { env });
  const both = [real, ours];
  for (const one of both) await one.waitForLine("listening on");
  const sent = wirePackets(all);
  expect(await new PacketSender(world, alice, gate).send(sent, { perSecond: packetsPerSecond })).toBe(sent.length);
  for (const one of both) await eventually(async () => openedBy(one).has(farewell.source), { what: "the last knock" });
  const opened = both.map(openedBy) as [ReadonlyMap<string, readonly string[]>, ReadonlyMap<string, readonly string[]>];
  await Promise.all(both.map((one) => one.stop()));
  return { real: opened[0], ours: opened[1] };
}

test(`${scripts} random scripts open the same doors of knockd and of Knockgate`, {
  timeout: 120_000 + scripts * 100,
}, async () => {
  const counts = { scripts: 0, opening: 0, doors: 0, losing: 0, lostByKnockd: 0 };
  const differences: string[] = [];
  for (let file = 0; counts.scripts < scripts; file++) {
    const random = new Random(seed, file);
    const doors = randomDoors(random, targets);
    const all = scriptsFor(random, doors, Math.min(scriptsPerFile, scripts - counts.scripts));
    const { real, ours } = await playBoth(doors, all, file);
    for (const { source, packets } of all) {
      const model = playStrictly(doors, packets);
      const [knockd, knockgate, expected] = [real.get(source), ours.get(source), model.opened].map((names = []) =>
        names
          .filter((name) => name !== "last")
          .sort()
          .join(" "),
      ) as [string, string, string];
      counts.scripts++;
      counts.doors += knockgate === "" ? 0 : knockgate.split(" ").length;
      if (knockd !== "") counts.opening++;
      if (model.loses) counts.losing++;
      if (model.loses && knockd !== knockgate) counts.lostByKnockd++;
      const agrees = model.loses ? knockgate === expected : knockd === knockgate && knockgate === expected;
      if (!agrees)
        differences.push(
          `file ${file} of seed ${seed}, ${source}: knockd "${knockd}", Knockgate "${knockgate}", the rules "${expected}"\n` +
            `${confOf(doors)}${packets.map((packet) => JSON.stringify(packet)).join("\n")}`,
        );
    }
  }
  console.log(
    `seed ${seed}: ${counts.scripts} scripts, ${counts.opening} of which open a door of knockd, ${counts.doors} openings; ` +
      `in ${counts.losing} an attempt ends beside another, where knockd may lose doors (it did in ${counts.lostByKnockd})`,
  );
  expect(differences.slice(0, 3).join("\n\n")).toBe("");
  expect(counts.opening).toBeGreaterThanOrEqual(scripts / 3);
});
