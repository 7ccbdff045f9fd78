import { readdirSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { childOf } from "./process-usage.ts";
import { World } from "./world.ts";

const steps = ["8845/tcp", "7312/udp", "9127/tcp"];
const policies = `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec: { knock: { steps: [${steps}] }, opens: { ports: [2101], for: 60s } }
`;
const four = ["net_admin", "net_raw", "setuid", "setgid"];
/** CAP_SETGID, CAP_SETUID, CAP_NET_ADMIN and CAP_NET_RAW, by their bits in linux/capability.h. */
const fourBits = "00000000000030c0";

let world: World;
let gate: Host;
let alice: Host;
let agent: AgentProcess | undefined;

beforeAll(async () => {
  world = await World.build("priv", ["gate", "alice"]);
  [gate, alice] = [world.host("gate"), world.host("alice")];
  await gate.serve(["2101/tcp"]);
}, 30_000);
afterEach(async () => {
  await agent?.kill();
  agent = undefined;
  await gate.run("nft", ["delete", "table", "inet", "knockgate"]);
});
afterAll(() => world.remove());

/** An agent of root with these capabilities and no others, as a container has them. */
function launch(capabilities: readonly string[], noNewPrivileges = true): AgentProcess {
  const bounding = `--bounding-set=-all${capabilities.map((name) => `,+${name}`).join("")}`;
  const through = ["setpriv", ...(noNewPrivileges ? ["--no-new-privs"] : []), bounding];
  agent = AgentProcess.launch(world, gate, { policies, through });
  return agent;
}

function statuses(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"));
}

function captureChild(of: AgentProcess): number {
  return childOf(of.process.pid, "capture-child");
}

async function opens(running: AgentProcess): Promise<void> {
  const from = running.process.lines.length;
  await alice.knock(gate.ipv4, steps);
  await running.process.waitForLine(/grant-(added|renewed)/, { from });
  expect(await alice.connect(gate.ipv4, 2101)).toBe("open");
}

describe.each([{ noNewPrivileges: true }, { noNewPrivileges: false }])(
  "with the four capabilities, $noNewPrivileges",
  ({ noNewPrivileges }) => {
    test("a knock opens; the agent has these four alone, and no thread of the child has any or is root", async () => {
      const running = launch(four, noNewPrivileges);
      await running.ready();
      for (const status of statuses(running.process.pid))
        expect(status).toMatch(new RegExp(`^CapEff:\\s+${fourBits}$`, "m"));
      expect(statuses(running.process.pid)[0]).toMatch(new RegExp(`^NoNewPrivs:\\s+${Number(noNewPrivileges)}$`, "m"));
      await opens(running);
      const threads = statuses(captureChild(running));
      expect(threads.length).toBeGreaterThan(3);
      for (const status of threads) {
        expect(status).toMatch(/^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
        expect(status).toMatch(/^Gid:\s+65534\s+65534\s+65534\s+65534$/m);
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
          expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, "m"));
      }
    });

    test("a child that is stopped is ended and replaced, though root without CAP_KILL may not signal it", async () => {
      const running = launch(four, noNewPrivileges);
      await running.ready();
      const pid = captureChild(running);
      process.kill(pid, "SIGSTOP");
      const hung = 'knockgate_capture_restarts_total{cause="hung"}';
      await eventually(async () => (await running.metric(hung)) === 1, { what: "the child to be replaced" });
      await running.ready();
      expect(captureChild(running)).not.toBe(pid);
      await opens(running);
    });
  },
);

const without = (name: string) => four.filter((one) => one !== name);

test("without NET_ADMIN it ends with a sentence that names it", async () => {
  const { process } = launch(without("net_admin"));
  expect(await process.ended).toMatchObject({ code: 1 });
  expect(process.text).toMatch(/^error: .*NET_ADMIN/m);
});

test("without NET_RAW it guards, is not ready, and log and /readyz say why, whatever child is at work: no knock can be seen", async () => {
  const running = launch(without("net_raw"));
  await running.process.waitForLine(/Cannot capture on eth0: .*permitted/);
  await running.process.waitForLine(/config-accepted/);
  const children = () => running.process.lines.filter((line) => line.includes('"capture-restarted"')).length;
  while (children() < 3) {
    const { status, body } = await running.http("/readyz");
    expect(status).toBe(503);
    expect(body).toMatch(/capture: no interface is tapped: .*Cannot capture on eth0: .*permitted/);
  }
  expect(await alice.connect(gate.ipv4, 2101, { timeoutMs: 300 })).toBe("silent");
});

test.each(["setuid", "setgid"])(
  "without %s it works, and says once that the child keeps its privileges",
  async (name) => {
    const running = launch(without(name));
    await running.ready();
    await opens(running);
    expect(running.process.lines.filter((line) => line.includes("keeps its privileges"))).toEqual([
      expect.stringContaining("SETUID and SETGID"),
    ]);
  },
);
