import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { beginRun, endRun, tellPart, tellProgress } from "../bench/bench-results.ts";
import { ControlPlane } from "../cluster/control-plane.ts";
import { type ApiLoad, apiLoad, writesBetween } from "./api-load.ts";
import { Fleet } from "./fleet.ts";

const nodes = Number(process.env.KNOCKGATE_SCALE_NODES ?? 500);
const policies = Number(process.env.KNOCKGATE_SCALE_POLICIES ?? 200);
const grantsPerSecond = 50;
const seconds = Number(process.env.KNOCKGATE_SCALE_SECONDS ?? 20);
/** What follows an event by itself, rows and Leases, has come after this. */
const settleMs = 12_000;

/** What grows with what, in the order of the table. */
const sentence =
  "Watches grow with nodes (one each for its node, the policies and the grants of each namespace), and the API server's memory with them; " +
  "writes at the start with nodes (a row, two requests each) and policies (a verdict each), at a change of one policy with nothing: one verdict, whatever " +
  "the number of nodes; doors for all nodes cost one write a knock, and a row of each node at most every ten seconds while its count changes; what is " +
  "sent grows with knocks times nodes, as every node hears of every such door. Nothing grows with packets, and no write with policies times nodes.";

let plane: ControlPlane;
let fleet: Fleet;
const rows: Record<string, string | number>[] = [];

beforeAll(async () => {
  plane = await ControlPlane.start();
  await plane.cluster.installDefinitions();
}, 120_000);
afterAll(async () => {
  await fleet?.close();
  await plane.stop();
  if (rows.length === 0) return;
  beginRun();
  tellPart({ title: `${nodes} agents and ${policies} policies at one API server`, measured: sentence, rows });
  tellProgress(`Written to ${endRun()?.file}`);
}, 120_000);

test("what many agents cost the API server", { timeout: 900_000 }, async () => {
  tellProgress(`making ${nodes} nodes and ${policies} policies`);
  fleet = await Fleet.prepare(plane.cluster, nodes, policies);
  const empty = await apiLoad(plane.cluster);
  note("before", 0, empty, empty);
  const started = await measure("start", empty, async () => {
    await fleet.start();
    return () => fleet.written();
  });
  const idle = await measure("idle for 10 s", started, () => pause(10_000));
  const changed = await measure("one policy changes", idle, () => fleet.change("door-1", "20s"));
  const granted = await measure(`${grantsPerSecond} knocks a second for ${seconds} s`, changed, async () => {
    await knockSteadily();
    const wanted = grantsPerSecond * seconds;
    await fleet.until("every door to be open on every node", async () => fleet.fewestDoors === wanted);
  });
  expect(granted.writes.get("POST knockgrants")).toBe(grantsPerSecond * seconds);
  expect([...started.watches.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(3 * nodes);
  expect(fleet.troubles).toBe(0);
});

/** Does something; the row says how long it took, and what came of it until all had settled. Resolves to the load after it. */
async function measure(what: string, before: ApiLoad, act: () => Promise<unknown>): Promise<ApiLoad> {
  tellProgress(what);
  const began = performance.now();
  const rest = await act();
  const took = (performance.now() - began) / 1000;
  if (typeof rest === "function") await rest();
  await pause(settleMs);
  const after = await apiLoad(plane.cluster);
  note(what, took, before, after);
  return after;
}

function note(what: string, took: number, before: ApiLoad, after: ApiLoad): void {
  const written = writesBetween(before, after);
  const total = written.reduce((sum, [, count]) => sum + count, 0);
  rows.push({
    phase: what,
    "seconds until all have it": took,
    "watches open": [...after.watches.values()].reduce((sum, count) => sum + count, 0),
    "API server MiB": after.residentMib,
    reads: after.reads - before.reads,
    writes: total,
    "of these": written.map(([kind, count]) => `${count} ${kind}`).join(", "),
  });
}

/** One knock every fiftieth of a second by the clock, whatever each takes. */
async function knockSteadily(): Promise<void> {
  const began = performance.now();
  for (let index = 0; index < grantsPerSecond * seconds; index++) {
    fleet.knock(index);
    await pause(Math.max(0, began + ((index + 1) * 1000) / grantsPerSecond - performance.now()));
  }
}
