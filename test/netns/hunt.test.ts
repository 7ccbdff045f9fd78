import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatTable } from "../../src/cli/table.ts";
import { type BackgroundKind, background, backgroundKinds } from "../fake/traffic/background.ts";
import { address } from "../fake/traffic/recording.ts";
import { mergedSavefiles, trafficSavefile } from "../fake/traffic/savefile.ts";
import { type Host, programPath } from "./host.ts";
import { type HuntedDoor, HuntedDoors } from "./hunted-doors.ts";
import { Sniffer } from "./sniffer.ts";
import { World } from "./world.ts";

const sourcesPerDoor = 8;
const backgroundFlows = 200_000;
const hourMicros = 3600e6;
const main = programPath("../../dist/main.js");

let world: World;
let gate: Host;
let client: Host;
let doors: readonly HuntedDoor[];
/** Who knocked on which door. */
const knocks: { readonly door: HuntedDoor; readonly source: string }[] = [];

beforeAll(async () => {
  world = await World.build("hunt", ["gate", "client"]);
  [gate, client] = [world.host("gate"), world.host("client")];
  doors = await HuntedDoors.build(world, gate, client);
  await gate.serve(doors.map(({ port }) => `${port}/tcp`));
  for (const [at, door] of doors.entries())
    for (let number = 1; number <= sourcesPerDoor; number++) {
      const source = `10.77.${at + 1}.${number}`;
      await client.expect("ip", ["address", "add", `${source}/16`, "dev", client.link]);
      knocks.push({ door, source });
    }
}, 60_000);

afterAll(() => world?.remove());

/** Every source knocks once, by the real programs; every other one had found the port closed before. */
async function capture(): Promise<Buffer> {
  const file = join(world.folder, "knocks.pcap");
  const sniffer = await Sniffer.start(gate, "", { file });
  for (const [at, { door, source }] of knocks.entries()) {
    const options = { sourceAddress: source, timeoutMs: 100 };
    if (at % 2 === 0) expect(await client.connect(gate.ipv4, door.port, options)).toBe("silent");
    await door.knock(source);
    expect(await client.connect(gate.ipv4, door.port, { ...options, timeoutMs: 1000 }), door.kind).toBe("open");
  }
  await sniffer.stop();
  return readFileSync(file);
}

/** An hour of what else goes on, around the knocks. */
function backgrounds(fromMicros: number) {
  const options = {
    seed: 2024,
    flows: backgroundFlows,
    from: fromMicros - hourMicros / 2,
    lastsMicros: hourMicros,
    gates: [
      { address: address(gate.ipv4), open: [80, 443], gated: doors.map(({ port }) => port) },
      { address: address("10.20.9.1"), open: [25, 443], gated: [22, 3306] },
    ],
  };
  return (Object.keys(backgroundKinds) as BackgroundKind[]).map((kind) => ({
    kind,
    recording: background(kind, options),
  }));
}

interface Found {
  readonly source: string;
  readonly steps: readonly string[];
  readonly opened: readonly string[];
}

async function hunt(capture: Buffer): Promise<readonly Found[]> {
  const file = join(world.folder, "mixed.pcap");
  writeFileSync(file, capture);
  const { code, stdout } = await gate.run(process.execPath, [main, "hunt", file, "-o", "json"]);
  expect(code).toBe(1);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Found);
}

test("finds the knocks of real programs in an hour of other traffic, and next to nothing else", async () => {
  const real = await capture();
  const others = backgrounds(real.readUInt32LE(24) * 1e6);
  const mixed = mergedSavefiles([real, ...others.map(({ recording }) => trafficSavefile(recording.packets))]);
  const found = await hunt(mixed);
  const isOf = (knock: (typeof knocks)[number], { source, opened }: Found) =>
    source === knock.source && opened.includes(`${knock.door.port}/tcp`);
  const rows = doors.map((door) => {
    const ofDoor = knocks.filter((knock) => knock.door === door);
    const hits = ofDoor.filter((knock) => found.some((one) => isOf(knock, one)));
    const exact = found.filter((one) => hits.some((knock) => isOf(knock, one)) && `${one.steps}` === `${door.steps}`);
    return { door, knocks: ofDoor.length, hits: hits.length, exact: exact.length };
  });
  const wrong = found.filter((one) => !knocks.some((knock) => isOf(knock, one)));
  const flows = others.reduce((sum, { recording }) => sum + recording.flows, 0);
  const cells = rows.map((row) => [row.door.kind, row.door.steps.length, row.knocks, row.hits, row.exact].map(String));
  console.log(formatTable(["KNOCKS BY", "STEPS", "KNOCKS", "FOUND", "STEPS EXACT"], cells));
  console.log(
    formatTable(
      ["BACKGROUND", "FLOWS"],
      others.map(({ kind, recording }) => [kind, String(recording.flows)]),
    ),
  );
  console.log(
    `${wrong.length} false findings in ${flows} flows:`,
    wrong.map((one) => JSON.stringify(one)),
  );
  const long = rows.filter(({ door }) => door.steps.length >= 3);
  const sum = (count: (row: (typeof rows)[number]) => number) => long.reduce((total, row) => total + count(row), 0);
  expect(sum(({ hits }) => hits) / sum((row) => row.knocks)).toBeGreaterThanOrEqual(0.95);
  expect(wrong.length).toBeLessThanOrEqual(flows / 100_000);
}, 300_000);
