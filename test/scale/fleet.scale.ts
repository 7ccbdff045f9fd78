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
const wanted = grantsPerSecond * seconds;
/** What follows an event by itself, rows and Leases, has come after this. */
const settleMs = 12_000;

/** What grows with what, in the order of the table. */
const sentence =
  "Watches grow with nodes (one each for its node, the policies and the grants of each namespace), and the API server's memory with them; " +
  "writes at the start with nodes (a row, two requests each) and policies (a verdict each), at a change of one policy with nothing: one verdict, whatever " +
  "the number of nodes; doors for all nodes cost one write a knock, and a row of each node at most every ten seconds while its count changes; what is " +
  "sent grows with knocks times nodes, as every node hears of every such door. Nothing grows with packets, and no write with policies times nodes. " +
  "With so many nodes the last phase is as slow as this one process, in which all of them plan their doors: what it has been late for is made again.";

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
  expect(fleet.troubles).toBe(0); // later this process is too busy to take every answer in time
  const granted = await measure(`${grantsPerSecond} knocks a second for ${seconds} s`, changed, async () => {
    await knockSteadily();
    await fleet.until("every KnockGrant to be made", async () => {
      return ((await apiLoad(plane.cluster)).writes.get("POST knockgrants") ?? 0) >= wanted;
    });
    return openEverywhere;
  });
  expect(granted.writes.get("POST knockgrants")).toBeGreaterThanOrEqual(wanted);
  expect([...started.watches.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(3 * nodes);
});

/** Five hundred nodes open half a million doors on one processor here: that is waited for no longer than this. */
const followingMs = 60_000;

/** Resolves when every door is open on every node, or when the time is over; tells how far it came. */
async function openEverywhere(): Promise<void> {
  const ends = performance.now() + followingMs;
  while (fleet.openDoors < wanted * nodes && performance.now() < ends) await pause(1000);
  const share = (100 * fleet.openDoors) / (wanted * nodes);
  tellProgress(`${share.toFixed(1)} % of ${wanted} doors on ${nodes} nodes are open`);
}

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
    "requests made again": fleet.troubles,
    reads: after.reads - before.reads,
    writes: total,
    "of these": written.map(([kind, count]) => `${count} ${kind}`).join(", "),
  });
}

/** Knocks by the clock: those that are due while the agents of this process are busy come together. */
async function knockSteadily(): Promise<void> {
  const began = performance.now();
  for (let index = 0; index < grantsPerSecond * seconds; ) {
    const due = Math.min(seconds, (performance.now() - began) / 1000) * grantsPerSecond;
    while (index < due) fleet.knock(index++);
    await pause(1000 / grantsPerSecond);
  }
}
