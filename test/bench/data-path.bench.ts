import { expect, test } from "vitest";
import { AgentProcess } from "../netns/agent-process.ts";
import { type Host, programPath } from "../netns/host.ts";
import type { RunningProcess } from "../netns/running-process.ts";
import { World } from "../netns/world.ts";
import { tellPart, tellProgress } from "./bench-results.ts";
import { fillGrants } from "./gate-load.ts";
import { median } from "./median.ts";

/** A guarded UDP port that the client is granted, and one that nobody guards. */
const guarded = 5300;
const unguarded = 5301;
const grants = [0, 1_000, 500_000];
const rounds = 20_000;
/** Each number of grants is measured so often, without and with the gate in turn; the median of the medians counts. */
const repeats = 5;
const throughputSeconds = 3;

const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: path, namespace: bench }
spec:
  knock: { steps: [7311/udp, 8844/tcp, 9126/udp] }
  opens: { ports: [${guarded}/udp, 5201/tcp], for: 1h }
`;

interface Trip {
  readonly medianNanos: number;
  readonly p99Nanos: number;
}

test("what the gate adds to a packet's way, with ever more grants", async () => {
  const world = await World.build("bench-path", ["gate", "client"]);
  try {
    const [gate, client] = [world.host("gate"), world.host("client")];
    for (const port of [guarded, unguarded])
      await gate.start(process.execPath, [pingPong, "serve", String(port)]).waitForLine("serving");
    const player = client.start(process.execPath, [pingPong, "play"]);
    await player.waitForLine("ready");
    const trip = (port: number) => roundTrip(player, client.ipv4, gate.ipv4, port);
    await trip(unguarded);
    const without = await several(async () => ({ guarded: await trip(guarded), unguarded: await trip(unguarded) }));
    const rows = [rowOf("no gate", without)];
    const medians = { guarded: [] as number[], unguarded: [] as number[] };
    const text = await tableText(world, gate);
    for (const count of grants) {
      tellProgress(`round trips with ${count} grants`);
      await gate.expect("nft", ["-f", "-"], { input: text });
      await gate.expect("nft", ["add", "element", "inet", "knockgate", "granted4", ownGrants(client)]);
      await fillGrants(gate, guarded, count);
      const times = await several(async () => ({ guarded: await trip(guarded), unguarded: await trip(unguarded) }));
      rows.push(rowOf(`${count} grants`, times));
      medians.guarded.push(median(times.map((each) => each.guarded.medianNanos)));
      medians.unguarded.push(median(times.map((each) => each.unguarded.medianNanos)));
      await gate.expect("nft", ["delete", "table", "inet", "knockgate"]);
    }
    const bare = median(without.map((each) => each.unguarded.medianNanos));
    const added = (times: readonly number[]) => times.map((time) => `${((time - bare) / 1000).toFixed(2)}`).join(" → ");
    const flatness = Math.max(...medians.guarded) / Math.min(...medians.guarded);
    tellPart({
      title: "A packet's way through the gate",
      measured:
        `Round trips of a datagram between two namespaces, ${repeats} times ${rounds}; with the gate, the client is granted. ` +
        "What is added is for both directions together.",
      rows,
      goals: [
        {
          work: "Added to a round trip, 0 → 1,000 → 500,000 grants",
          ours: `guarded ${added(medians.guarded)} µs; unguarded ${added(medians.unguarded)} µs`,
          target: "flat (within 10 % of the round trip)",
          isMet: flatness <= 1.1,
        },
      ],
    });
    expect(rows.length).toBe(grants.length + 1);
  } finally {
    await world.remove();
  }
});

test("what the gate takes from an established connection's throughput", async () => {
  const world = await World.build("bench-flow", ["gate", "client"]);
  try {
    const [gate, client] = [world.host("gate"), world.host("client")];
    await gate.start("iperf3", ["-s", "-p", "5201", "--forceflush"]).waitForLine("listening");
    const text = await tableText(world, gate);
    const figures = { none: [] as number[], gate: [] as number[] };
    await gigabits(client, gate);
    for (let repeat = 0; repeat < repeats; repeat++) {
      tellProgress(`throughput: ${repeat + 1} of ${repeats}`);
      figures.none.push(await gigabits(client, gate));
      await gate.expect("nft", ["-f", "-"], { input: text });
      await gate.expect("nft", ["add", "element", "inet", "knockgate", "granted4", ownGrants(client)]);
      figures.gate.push(await gigabits(client, gate));
      await gate.expect("nft", ["delete", "table", "inet", "knockgate"]);
    }
    const ratio = median(figures.gate) / median(figures.none);
    tellPart({
      title: "Throughput of an established connection",
      measured: `iperf3 between two namespaces, ${repeats} times ${throughputSeconds} s without and with the gate in turn; medians.`,
      rows: [
        { way: "no gate", gigabitsPerSecond: median(figures.none) },
        { way: "through the gate", gigabitsPerSecond: median(figures.gate) },
      ],
      goals: [
        {
          work: "Throughput through the gate, of that without",
          ours: `${(ratio * 100).toFixed(1)} %`,
          target: "≥ 98 %",
          isMet: ratio >= 0.98,
        },
      ],
    });
    expect(ratio).toBeGreaterThan(0);
  } finally {
    await world.remove();
  }
});

const pingPong = programPath("../bench/ping-pong.mjs");

/** The table that the gate loads, with room for all grants; without an agent that would tidy it. */
async function tableText(world: World, gate: Host): Promise<string> {
  const agent = await AgentProcess.start(world, gate, { policies: policy, args: ["--max-grants", "600000"] });
  await agent.stop();
  const text = await gate.expect("nft", ["list", "table", "inet", "knockgate"]);
  await gate.expect("nft", ["delete", "table", "inet", "knockgate"]);
  return text;
}

function ownGrants({ ipv4 }: Host): string {
  return `{ ${ipv4} . udp . ${guarded} timeout 1h, ${ipv4} . tcp . 5201 timeout 1h }`;
}

async function roundTrip(player: RunningProcess, source: string, target: string, port: number): Promise<Trip> {
  const from = player.lines.length;
  player.write(`${JSON.stringify({ source, target, port, rounds })}\n`);
  return JSON.parse(await player.waitForLine(/^\{/, { from, timeoutMs: 60_000 })) as Trip;
}

async function gigabits(client: Host, gate: Host): Promise<number> {
  const told = await client.expect("iperf3", [
    "-c",
    gate.ipv4,
    "-p",
    "5201",
    "-t",
    String(throughputSeconds),
    "--json",
  ]);
  const { end } = JSON.parse(told) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e9;
}

async function several<T>(measure: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = [];
  while (all.length < repeats) all.push(await measure());
  return all;
}

function rowOf(way: string, times: readonly { readonly guarded: Trip; readonly unguarded: Trip }[]) {
  const micros = (kind: "guarded" | "unguarded", of: keyof Trip) => median(times.map((each) => each[kind][of])) / 1000;
  return {
    way,
    "guarded port, median µs": micros("guarded", "medianNanos"),
    "p99 µs": micros("guarded", "p99Nanos"),
    "unguarded port, median µs": micros("unguarded", "medianNanos"),
    "unguarded p99 µs": micros("unguarded", "p99Nanos"),
  };
}
