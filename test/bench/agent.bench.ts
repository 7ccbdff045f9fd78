import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { sumOfSeries } from "../netns/agent-counts.ts";
import { AgentProcess } from "../netns/agent-process.ts";
import { eventually } from "../netns/eventually.ts";
import { childOf, processUsage } from "../netns/process-usage.ts";
import { World } from "../netns/world.ts";
import { tellPart, tellProgress } from "./bench-results.ts";
import { median } from "./median.ts";

const starts = 5;
const reloads = 5;
const idleSeconds = 30;
const mostIdleShare = 0.003;

/** Policies whose steps are random and their own, as those of a real gate are. */
function policies(count: number): string {
  const of = (at: number) => `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: door-${at}, namespace: bench }
spec:
  knock: { steps: [${20_000 + 7 * at}/udp, ${60_000 - 3 * at}/tcp, ${30_000 + 5 * at}/udp], decoys: 8 }
  opens: { ports: [${1024 + at}], for: 30s }
`;
  return Array.from({ length: count }, (_, at) => of(at)).join("---\n");
}

test("start, memory and idling of an agent with 100 policies", async () => {
  const world = await World.build("bench-start", ["gate", "client"]);
  try {
    const gate = world.host("gate");
    const bare: number[] = [];
    const times: number[] = [];
    let agent: AgentProcess | undefined;
    for (let at = 0; at < starts; at++) {
      await agent?.stop();
      const began = performance.now();
      agent = await AgentProcess.start(world, gate, { policies: policies(100) });
      times.push(performance.now() - began);
      const node = performance.now();
      await gate.expect(process.execPath, ["-e", "0"]);
      bare.push(performance.now() - node);
    }
    if (agent === undefined) throw new Error("no agent was started");
    const child = childOf(agent.process.pid, "capture-child");
    await pause(5000);
    const usage = () => [agent.process.pid, child].map(processUsage);
    const switches = () => [agent.process.pid, child].map(wakeUps);
    const [before, switchesBefore] = [usage(), switches()];
    tellProgress(`idling for ${idleSeconds} s`);
    await pause(idleSeconds * 1000);
    const [after, switchesAfter] = [usage(), switches()];
    const shares = after.map(({ cpuSeconds }, at) => (cpuSeconds - (before[at]?.cpuSeconds ?? 0)) / idleSeconds);
    const woken = switchesAfter.map((count, at) => (count - (switchesBefore[at] ?? 0)) / idleSeconds);
    const startMs = median(times);
    const resident = after.reduce((sum, { residentMiB }) => sum + residentMiB, 0);
    const idle = shares.reduce((sum, share) => sum + share, 0);
    tellPart({
      title: "An agent with 100 policies",
      measured: `Start: process start to /readyz, median of ${starts}. Memory: resident, 5 s later. Idle: over ${idleSeconds} s.`,
      rows: ["agent", "capture child"].map((process, at) => ({
        process,
        "start ms": at === 0 ? startMs : "",
        "bare node ms": at === 0 ? median(bare) : "",
        residentMiB: after[at]?.residentMiB ?? Number.NaN,
        "idle, % of a core": (shares[at] ?? Number.NaN) * 100,
        "wake-ups a second": woken[at] ?? Number.NaN,
      })),
      goals: [
        {
          work: "Process start → ready, 100 policies",
          ours: `${startMs.toFixed(0)} ms`,
          target: "≤ 1,000 ms",
          isMet: startMs <= 1000,
        },
        {
          work: "Memory of agent and child after start",
          ours: `${resident.toFixed(0)} MiB`,
          target: "≤ 130 MiB",
          isMet: resident <= 130,
        },
        {
          work: "Idle, agent and child",
          ours: `${(idle * 100).toFixed(2)} %`,
          target: "≤ 0.3 % of one core",
          isMet: idle <= mostIdleShare,
        },
      ],
    });
    expect(times.length).toBe(starts);
  } finally {
    await world.remove();
  }
});

test("a reload of 1,000 policies while knocks come in", async () => {
  const world = await World.build("bench-reload", ["gate", "client"]);
  try {
    const [gate, client] = [world.host("gate"), world.host("client")];
    const knockable = { name: "mine.yaml", text: policyOf(2200, [7311, 8844, 9126]) };
    const files = { "many.yaml": policies(1000), [knockable.name]: knockable.text };
    const agent = await AgentProcess.start(world, gate, { policies: files });
    await client.expect("ip", ["route", "add", "local", "10.77.16.0/20", "dev", client.link]);
    const times: number[] = [];
    let knocks = 0;
    for (let at = 0; at < reloads; at++) {
      const from = agent.process.lines.length;
      const began = performance.now();
      agent.writePolicy("many.yaml", policies(1000).replace("for: 30s", `for: ${31 + at}s`));
      let isOver = false;
      const loaded = agent.process
        .waitForLine("config-accepted", { from, timeoutMs: 20_000 })
        .then(() => times.push(performance.now() - began))
        .finally(() => {
          isOver = true;
        });
      while (!isOver) {
        const sourceAddress = `10.77.${16 + ((knocks >> 8) & 15)}.${knocks++ & 255}`;
        await client.knock(gate.ipv4, ["7311/udp", "8844/tcp", "9126/udp"], { sourceAddress });
      }
      await loaded;
    }
    // The client has fewer addresses than it knocks in a run: a later knock of the same one renews its grant.
    const granted = async () => {
      const { body } = await agent.http("/metrics");
      const of = (result: string) => sumOfSeries(body, "grants_total{", `result="${result}"`);
      return of("added") + of("renewed");
    };
    const isWhole = await eventually(async () => (await granted()) >= knocks, { what: "every knock to open" }).catch(
      () => false,
    );
    const added = await granted();
    tellPart({
      title: "A reload of 1,000 policies",
      measured:
        "From the file being replaced to the policies in force in matcher and kernel; meanwhile a client knocks on without a pause.",
      rows: times.map((milliseconds) => ({ milliseconds })),
      goals: [
        {
          work: "Reload of 1,000 policies",
          ours: `${median(times).toFixed(0)} ms; ${added} of ${knocks} knocks opened`,
          target: "≤ 300 ms, none missed",
          isMet: median(times) <= 300 && isWhole === true,
        },
      ],
    });
    expect(times.length).toBe(reloads);
  } finally {
    await world.remove();
  }
});

function policyOf(port: number, steps: readonly number[]): string {
  const [first, second, third] = steps;
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: mine, namespace: bench }
spec:
  knock: { steps: [${first}/udp, ${second}/tcp, ${third}/udp] }
  opens: { ports: [${port}/udp], for: 60s }
`;
}

/** How often a process has gone to sleep and was woken: voluntary context switches of its main thread (proc(5)). */
function wakeUps(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}
