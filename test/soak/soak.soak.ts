import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Random } from "../fuzz/random.ts";
import { childOf, processUsage } from "../netns/process-usage.ts";
import { DoorModel, type Wrong } from "./door-model.ts";
import { type Fault, faults, mended, type Scene } from "./faults.ts";
import { SoakWorld, soakPolicies } from "./soak-world.ts";
import { Strangers } from "./strangers.ts";
import { Visitor, type VisitorCounts } from "./visitors.ts";

const minutes = Number(process.env.KNOCKGATE_SOAK_MINUTES ?? 10);
const seed = Number(process.env.KNOCKGATE_SOAK_SEED ?? Date.now() >>> 0);
const visitors = 4;
/** What the visitors still have under way in the end, and a capture that backs off. */
const windUpMs = 90_000;

let world: SoakWorld;

beforeAll(async () => {
  world = await SoakWorld.build();
}, 60_000);

afterAll(async () => {
  await world?.remove();
}, 30_000);

test(
  "doors are open exactly while they should be, whatever happens",
  async () => {
    console.log(`soak: ${minutes} minutes, seed ${seed}`);
    const model = new DoorModel(world.sources, soakPolicies);
    const counts: VisitorCounts = { right: 0, closing: 0, wrong: 0, repeated: 0, lost: [] };
    const wrong: string[] = [];
    const played = new Map<string, number[]>();
    const memoryAtStart = memory();
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), minutes * 60_000);
    const random = (stream: number) => new Random(seed, stream);
    const scene = { world, model, random: random(1) };
    const strangers = new Strangers(world.strangers);
    const guests = Array.from(
      { length: visitors },
      (_, at) => new Visitor(world, model, strangers, random(10 + at), counts),
    );
    const work = [
      playFaults(scene, played, ending.signal),
      watch(model, wrong, ending.signal),
      ...guests.map((guest) => guest.run(ending.signal)),
    ];
    try {
      await Promise.all(work);
    } finally {
      clearTimeout(timer);
      ending.abort();
      await Promise.allSettled(work);
      tell(counts, played, wrong, memoryAtStart);
    }
    expect(wrong).toEqual([]);
    expect(counts.lost).toEqual([]);
    expect(counts.right).toBeGreaterThan(0);
  },
  minutes * 60_000 + windUpMs,
);

/** One fault after the other, each mended before the next; knocks and comparisons go on beside them. */
async function playFaults(scene: Scene, played: Map<string, number[]>, ending: AbortSignal): Promise<void> {
  const { random, model } = scene;
  while (!ending.aborted) {
    await pause(500 + random.below(3000));
    const fault: Fault = random.pick(faults);
    const endOutage = fault.outage ? model.beginOutage() : () => undefined;
    await fault.play(scene);
    if (fault.outage) await pause(1800); // a child that hangs is noticed after more than a second
    const tookMs = await mended(scene);
    endOutage();
    played.set(fault.name, [...(played.get(fault.name) ?? []), tookMs]);
  }
}

/** Every second the kernel's sets are compared with the model, and a stranger tries a guarded port. */
async function watch(model: DoorModel, wrong: string[], ending: AbortSignal): Promise<void> {
  while (!ending.aborted) {
    const [before, held, began] = [model.versions(), model.tableHolds, performance.now()];
    const granted = await world.granted();
    const ended = performance.now();
    const guarded = new Set(await world.agent.elements("guarded"));
    const stranger = await world.clients.connect(world.gate.ipv4, 4104, {
      sourceAddress: world.strangers[0] ?? "",
      timeoutMs: 300,
    });
    if (held && model.tableHolds) {
      const found: Wrong[] = model.judge(new Set(granted.keys()), began, ended, before);
      wrong.push(...found.map(({ kind, key }) => `wrongly ${kind}: ${key}`));
      const unguarded = soakPolicies.flatMap(({ ports }) => ports).filter((port) => !guarded.has(port));
      wrong.push(...unguarded.map((port) => `wrongly open: ${port} is not guarded`));
      if (stranger === "open") wrong.push("wrongly open: to a stranger");
    }
    await pause(Math.max(0, 1000 - (performance.now() - began)));
  }
}

function memory(): string {
  const { pid } = world.agent.process;
  const agent = processUsage(pid).residentMiB.toFixed(0);
  return `agent ${agent} MiB, capture child ${processUsage(childOf(pid, "capture-child")).residentMiB.toFixed(0)} MiB`;
}

function tell(
  counts: VisitorCounts,
  played: ReadonlyMap<string, readonly number[]>,
  wrong: readonly string[],
  memoryAtStart: string,
): void {
  const of = (kind: string) => wrong.filter((one) => one.startsWith(`wrongly ${kind}`)).length;
  const all = [...played.values()].reduce((sum, times) => sum + times.length, 0);
  const rows = [...played].map(([name, times]) => `  ${name}: ${times.length}`);
  console.log(
    [
      `soak of ${minutes} minutes, seed ${seed}`,
      `knocks: ${counts.right} right, ${counts.closing} closing, ${counts.wrong} wrong; ${counts.repeated} repeated after an outage`,
      `faults: ${all}`,
      ...rows,
      `wrongly open: ${of("open")}`,
      `wrongly closed: ${of("closed") + counts.lost.length} (${counts.lost.length} of them knocks outside of an outage that did nothing)`,
      ...counts.lost.map((lost) => `  lost: ${lost}`),
      `memory: at start ${memoryAtStart}; at end ${memory()} after ${world.starts - 1} new agents`,
    ].join("\n"),
  );
}
