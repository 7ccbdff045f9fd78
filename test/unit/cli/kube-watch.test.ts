import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubeWatchArguments } from "../../../src/cli/command-io.ts";
import { kubeWatchCommand } from "../../../src/cli/kube-watch.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { kubeconfigFor } from "../../fake/kubeconfig-file.ts";
import { MemoryIo } from "../../fake/memory-io.ts";
import { type ScriptedExec, ScriptedPods } from "../../fake/scripted-pods.ts";

const source = parseAddress("203.0.113.7") ?? new Uint32Array();
let api: ScriptedPods;
let io: MemoryIo;
let args: KubeWatchArguments;

beforeEach(async () => {
  api = await ScriptedPods.start();
  io = new MemoryIo();
  const kubeconfig = await kubeconfigFor(api.credentials, "knockgate");
  const scope = { kubeconfig, context: undefined, namespace: undefined, allNamespaces: false };
  args = { source, scope, selector: "app=agent", nodes: [], output: "table", forMs: undefined };
});
afterEach(() => api.stop());

/** An agent's pod on a node. */
function pod(node: string, more: { phase?: string; sidecar?: boolean } = {}) {
  const { phase = "Running", sidecar = false } = more;
  const agent = [{ name: "knockgate" }];
  const spec = sidecar ? { containers: [{ name: "web" }], initContainers: agent } : { containers: agent };
  return {
    metadata: { namespace: "knockgate", name: `agent-${node}` },
    spec: { nodeName: node, ...spec },
    status: { phase },
  };
}

/** The commands that run in so many pods, by pod. */
async function execs(count: number): Promise<Record<string, ScriptedExec>> {
  const found: Record<string, ScriptedExec> = {};
  for (let left = count; left > 0; left--) {
    const exec = await api.next();
    found[exec.pod] = exec;
  }
  return found;
}

/** Resolves when something was written that has this in it. */
async function written(text: string): Promise<void> {
  await expect.poll(() => io.out + io.err).toContain(text);
}

const watching = (...policies: readonly string[]) => ({ kind: "watching", policies });
const about = { source: "203.0.113.7", policy: "bastion/ssh", steps: 3 };

describe("watch --kube", () => {
  test("asks every agent by its own command, whose input stays open, and joins what they show", async () => {
    api.pods = [pod("one"), pod("two", { sidecar: true }), pod("three")];
    const done = kubeWatchCommand(args, io);
    const { "agent-one": one, "agent-two": two, "agent-three": three } = await execs(3);
    expect(api.asked).toEqual(["/api/v1/namespaces/knockgate/pods?limit=500&labelSelector=app%3Dagent"]);
    const { searchParams } = one?.url ?? new URL("http://none");
    expect(searchParams.getAll("command")).toEqual(
      "knockgate watch 203.0.113.7 --output json --until-eof --for 1h".split(" "),
    );
    expect([searchParams.get("stdin"), searchParams.get("container")]).toEqual(["true", "knockgate"]);
    expect(two?.url.searchParams.get("container")).toBe("knockgate");
    expect(one?.headers.authorization).toBe("Bearer t");
    one?.event(watching("bastion/ssh", "bastion/web")).event({ ...about, kind: "advanced", step: 1 });
    one?.event({ ...about, kind: "reset", step: 0, reason: "a decoy was hit" });
    two?.event(watching("bastion/ssh"));
    three?.event(watching());
    await written("a decoy was hit");
    two?.event({ ...about, kind: "completed", step: 3 });
    two?.event({ ...about, kind: "grant-refused", reason: "never-grant" });
    await written("never-grant");
    io.interrupt();
    expect(await done).toBe(0);
    const [events = "", verdicts] = io.out.split("\n\n");
    const lines = events.split("\n").map((line) => line.split("\t"));
    expect(lines.filter(([node]) => node === "one").map((cells) => cells.slice(2, 6))).toEqual([
      ["203.0.113.7", "bastion/ssh", "advanced", "1/3"],
      ["203.0.113.7", "bastion/ssh", "reset", "0/3"],
    ]);
    expect(verdicts).toBe(
      [
        "NODE   SEQUENCE     WHAT CAME OF IT",
        "one    bastion/ssh  wrong step at step 2 of 3: a decoy was hit",
        "one    bastion/web  no knock seen",
        "three  -            not this node: no sequence in force here takes a knock from this source",
        "two    bastion/ssh  refused: never-grant",
        "",
      ].join("\n"),
    );
    await Promise.all([one?.closed, two?.closed, three?.closed]);
  });

  test("says of each agent that cannot tell why it cannot", async () => {
    api.pods = [pod("ended"), pod("older"), pod("pending", { phase: "Pending" }), pod("broken"), pod("deaf")];
    const done = kubeWatchCommand(args, io);
    const { "agent-ended": ended, "agent-older": older, "agent-broken": broken, "agent-deaf": deaf } = await execs(4);
    ended?.says("error: no agent answers on /run/knockgate/agent.sock\n", 2).ends(1);
    older?.says("a line of another kind\n").ends(0);
    deaf?.event({ ...watching("bastion/ssh"), reason: "capture: no interface is tapped" });
    await written("older: its knockgate watch ended with 0");
    broken?.breaks();
    await written("the connection to the pod has ended");
    deaf?.ends(0);
    expect(await done).toBe(0);
    expect(io.out).toContain("\ndeaf     bastion/ssh  cannot tell: its knockgate watch ended with 0\n");
    expect(io.out).toContain(
      "\nended    -            cannot tell: its knockgate watch ended with 1: error: no agent answers",
    );
    expect(io.out).toContain("\npending  -            cannot tell: its pod is Pending\n");
    expect(io.err).toContain("older: it says what this version cannot read\n");
  });

  test("ends with 1 and the API's own words where it is refused", async () => {
    api.pods = [pod("one")];
    api.refusal = 403;
    expect(await kubeWatchCommand(args, io)).toBe(1);
    expect(io.err).toBe("one: the Kubernetes API does not allow it (403: door watchers may not do that)\n");
  });

  test("ends by itself after --for, and asks only the nodes that were named", async () => {
    api.pods = [pod("one"), pod("two")];
    const clock = new FakeClock();
    const done = kubeWatchCommand({ ...args, nodes: ["two"], forMs: 30_000, output: "json" }, io, clock);
    const exec = await api.next();
    exec.event(watching("bastion/ssh"));
    await written("watching");
    clock.advance(30_000);
    expect(await done).toBe(0);
    expect(exec.pod).toBe("agent-two");
    const lines = io.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ node: "two", kind: "watching" });
    expect(lines[1]).toEqual({
      kind: "verdict",
      node: "two",
      sequence: "bastion/ssh",
      verdict: "no-knock",
      words: "no knock seen",
    });
  });

  test.each([
    { nodes: [], says: "There are no agents in the namespace knockgate (pods with app=agent)" },
    { nodes: ["two"], says: "There are no agents on two in the namespace knockgate" },
  ])("without agents it says where it has looked ($nodes)", async ({ nodes, says }) => {
    api.pods = nodes.length === 0 ? [] : [pod("one")];
    await expect(kubeWatchCommand({ ...args, nodes }, io)).rejects.toThrow(says);
  });
});
