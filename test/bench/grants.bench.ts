import { expect, test } from "vitest";
import { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { type Host, programPath } from "../netns/host.ts";
import { World } from "../netns/world.ts";
import { tellPart, tellProgress } from "./bench-results.ts";
import { fillGrants } from "./gate-load.ts";
import { KnockContest } from "./knock-contest.ts";
import { median } from "./median.ts";
import { door } from "./rivals.ts";

const burst = 1_000;
/** As many as the client has addresses for. */
const bursts = 4;
const fills = [10, 500_000];
const knocks = 100;
const ports = [7311, 8844, 9126];

const policy = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: burst, namespace: bench }
spec:
  knock: { steps: [${ports.map((port) => `${port}/udp`).join(", ")}] }
  opens: { ports: [${door}], for: 10s }
`;

test("a thousand grants in one burst", async () => {
  const world = await World.build("bench-burst", ["gate", "client"]);
  try {
    const [gate, client] = [world.host("gate"), world.host("client")];
    await client.expect("ip", ["route", "add", "local", "10.77.16.0/20", "dev", client.link]);
    const agent = await AgentProcess.start(world, gate, { policies: policy });
    const times: number[] = [];
    for (let at = 0; at < bursts; at++) times.push(await oneBurst(gate, client, at));
    const sorted = [...times].sort((one, other) => one - other);
    const middle = median(times);
    const shown = sorted.map((time) => time.toFixed(0)).join(", ");
    tellPart({
      title: `${burst} grants in one burst`,
      measured:
        "From the first of the last steps being sent to the kernel's notice of the last element; bursts of new sources.",
      rows: sorted.map((milliseconds) => ({ milliseconds })),
      goals: [
        {
          work: `${burst} grants in one burst`,
          ours: `${middle.toFixed(0)} ms (${shown})`,
          target: "≤ 50 ms",
          isMet: middle <= 50,
        },
      ],
    });
    expect(await agent.metric(`knockgate_grants_total{policy="bench/burst",result="added"}`)).toBe(burst * bursts);
  } finally {
    await world.remove();
  }
});

test("one more grant, with ever more in the set", async () => {
  const medians: number[] = [];
  for (const count of fills) {
    const contest = await KnockContest.begin("knockgate", ["--max-grants", "600000"]);
    try {
      tellProgress(`filling the set with ${count} grants`);
      await fillGrants(contest.host, door, count);
      await reconciled(contest.gate.agent as AgentProcess);
      const times: number[] = [];
      for (let at = 0; at < knocks; at++) times.push((await contest.measure("element")) ?? Number.POSITIVE_INFINITY);
      medians.push(median(times));
    } finally {
      await contest.end();
    }
  }
  const [few = Number.NaN, many = Number.NaN] = medians;
  tellPart({
    title: "One more grant",
    measured: "Last knock to element, median, with so many grants in the set already.",
    rows: fills.map((grants, at) => ({ grants, medianMs: medians[at] ?? Number.NaN })),
    goals: [
      {
        work: "One more grant with 10 → 500,000 in the set",
        ours: `${few.toFixed(2)} → ${many.toFixed(2)} ms`,
        target: "the same (within 25 %)",
        isMet: many <= few * 1.25,
      },
    ],
  });
  expect(medians.every(Number.isFinite)).toBe(true);
});

async function oneBurst(gate: Host, client: Host, number: number): Promise<number> {
  const observer = gate.start(process.execPath, [programPath("../bench/set-observer.mjs")]);
  await observer.waitForLine("observing");
  const sources = Array.from({ length: burst }, (_, at) => `10.77.${16 + number * 4 + (at >> 8)}.${at & 255}`);
  const told = await client.expect(process.execPath, [
    programPath("../bench/burst.mjs"),
    JSON.stringify({ sources, target: gate.ipv4, ports }),
  ]);
  const { began } = JSON.parse(told) as { began: string };
  const wanted = sources.map((source) => Buffer.from(source.split(".").map(Number)).toString("hex"));
  const allSeen = async () => {
    const text = observer.lines.join("\n");
    return wanted.every((hex) => text.includes(hex));
  };
  await eventually(allSeen, { what: `${burst} elements`, timeoutMs: 20_000, everyMs: 200 });
  const last =
    observer.lines
      .filter((line) => /^\d/.test(line))
      .at(-1)
      ?.split(" ")[0] ?? "0";
  await observer.stop();
  return Number(BigInt(last) - BigInt(began)) / 1e6;
}

/** Resolves when the agent has compared the table with what it wants since this was called. */
async function reconciled(agent: AgentProcess): Promise<void> {
  const since = Date.now() / 1000;
  const isDone = async () => ((await agent.metric("knockgate_nftables_last_sync_timestamp_seconds")) ?? 0) > since;
  await eventually(isDone, { what: "the agent to look at the table", timeoutMs: 120_000, everyMs: 500 });
}
