import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kubeconfigFor } from "../fake/kubeconfig-file.ts";
import { ScriptedPods } from "../fake/scripted-pods.ts";
import { AgentProcess } from "./agent-process.ts";
import { runInPod } from "./pod-shell.ts";
import { RunningProcess } from "./running-process.ts";
import { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const names = ["one", "two"] as const;
let world: World;
let api: ScriptedPods;

beforeAll(async () => {
  world = await World.build("watch", [...names, "visitor"]);
  api = await ScriptedPods.start();
});
afterAll(async () => {
  await api.stop();
  await world.remove();
});

const policy = (sources: string) => `
apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [7312/udp, 9127/tcp, 8845/udp] }
  sources: ["${sources}"]
  opens: { ports: [22/tcp], for: 30s }
`;

test("agents on two nodes say why a source is not in, and nothing of theirs stays behind", async () => {
  const policies = { one: policy("0.0.0.0/0"), two: policy("192.0.2.0/24") };
  const agents = await Promise.all(
    names.map((name) => AgentProcess.start(world, world.host(name), { policies: policies[name] })),
  );
  api.pods = names.map((name) => ({
    metadata: { namespace: "knockgate", name: `agent-${name}` },
    spec: { nodeName: name, containers: [{ name: "knockgate" }] },
    status: { phase: "Running" },
  }));
  const visitor = world.host("visitor");
  const kubeconfig = await kubeconfigFor(api.credentials, "knockgate");
  const args = [program, "watch", visitor.ipv4, "--kube", "--kubeconfig", kubeconfig, "-o", "json"];
  const watch = new RunningProcess(process.execPath, args);
  const commands = names.map(async () => {
    const exec = await api.next();
    const at = names.findIndex((name) => exec.pod === `agent-${name}`);
    const agent = agents[at];
    if (agent === undefined) throw new Error(`asked for ${exec.pod}`);
    return runInPod(exec, world.host(names[at] ?? ""), agent);
  });
  for (const name of names) await watch.waitForLine(new RegExp(`"node":"${name}".*"kind":"watching"`));
  await visitor.knock(world.host("one").ipv4, ["7312/udp", "8845/udp", "9127/tcp"]);
  await watch.waitForLine('"kind":"reset"');
  watch.signal("SIGINT");
  expect((await watch.ended).code).toBe(0);
  const verdicts = watch.lines.filter((line) => line.includes('"kind":"verdict"')).map((line) => JSON.parse(line));
  expect(verdicts).toEqual([
    expect.objectContaining({ node: "one", sequence: "bastion/ssh", verdict: "wrong-step", failedAt: 2, steps: 3 }),
    expect.objectContaining({ node: "two", sequence: null, verdict: "not-this-node" }),
  ]);
  expect(watch.text).not.toMatch(/7312|9127|8845/);
  expect(await Promise.all(commands)).toEqual([0, 0]);
});
