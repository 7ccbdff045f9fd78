import { expect, test } from "vitest";
import { compile } from "../../src/policy/compile.ts";
import { agentPod } from "./agent-pod.ts";
import { find, type Rendered, render, shapes, type Values } from "./chart.ts";
import { optionNames, readAgentArgs } from "./given-options.ts";

const guard = { guard: ["22/tcp"] };

test.each(Object.entries(shapes))("the agent takes the options of the shape %s", async (name, values) => {
  const { args } = await agentPod(values);
  const options = readAgentArgs(args, name === "every-knob" ? "2001:db8::7" : undefined);
  expect(options.mode).toBe(values.mode ?? "observe");
});

test.each<{ readonly name: string; readonly values: Values; readonly args: readonly string[] }>([
  { name: "observing is where it begins", values: {}, args: ["--mode=observe"] },
  { name: "mode", values: { mode: "enforce" }, args: ["--mode=enforce"] },
  { name: "confirmWithin", values: { confirmWithin: "10m" }, args: ["--confirm-within=10m"] },
  { name: "crd", values: {}, args: ["--crd"] },
  { name: "crd.namespaces", values: { crd: { namespaces: ["a", "b"] } }, args: ["--namespace=a", "--namespace=b"] },
  { name: "crd.allNamespaces", values: { crd: { allNamespaces: true } }, args: ["--all-namespaces"] },
  { name: "watchedConfigMaps", values: { watchedConfigMaps: ["a/b"] }, args: ["--configmap=a/b"] },
  { name: "guard, as numbers too", values: { guard: [22, "53/udp"] }, args: ["--guard=22", "--guard=53/udp"] },
  { name: "guardAddresses", values: { guardAddresses: ["192.0.2.9"] }, args: ["--guard-address=192.0.2.9"] },
  { name: "trust", values: { trust: ["192.0.2.0/28"] }, args: ["--trust=192.0.2.0/28"] },
  { name: "neverGrant", values: { neverGrant: ["10.0.0.0/8"] }, args: ["--never-grant=10.0.0.0/8"] },
  { name: "closedAs", values: { closedAs: "refused" }, args: ["--closed-as=refused"] },
  { name: "allowCritical", values: { allowCritical: true }, args: ["--allow-critical"] },
  { name: "interfaces", values: { interfaces: ["eth0"] }, args: ["--interface=eth0"] },
  { name: "large numbers stay numbers", values: { maxSources: 3000000 }, args: ["--max-sources=3000000"] },
  { name: "maxGrants", values: { maxGrants: 12 }, args: ["--max-grants=12"] },
  { name: "stateSecrets", values: { stateSecrets: true }, args: ["--state-secrets"] },
  { name: "stateDir", values: { stateDir: "/srv/kg" }, args: ["--state-dir=/srv/kg"] },
  {
    name: "log",
    values: { log: { level: "debug", format: "pretty" } },
    args: ["--log-level=debug", "--log-format=pretty"],
  },
  { name: "listen, on loopback", values: {}, args: ["--listen=127.0.0.1:9780"] },
  { name: "listen, for a monitor", values: { podMonitor: { enabled: true } }, args: ["--listen=$(POD_IP):9780"] },
  { name: "extraArgs as a list", values: { extraArgs: ["--interface=eth1"] }, args: ["--interface=eth1"] },
  {
    name: "extraArgs as a map",
    values: { extraArgs: { interface: ["eth1", "eth2"], "state-secrets": true, "max-grants": 5, crd: false } },
    args: ["--interface=eth1", "--interface=eth2", "--state-secrets", "--max-grants=5"],
  },
])("$name", async ({ values, args }) => {
  expect((await agentPod(values)).args).toEqual(expect.arrayContaining([...args]));
});

test("switches that are off leave no argument", async () => {
  const { args } = await agentPod({ crd: { enabled: false }, ...guard });
  expect(args.map((arg) => arg.replace(/=.*/, ""))).toEqual([
    "agent",
    "--mode",
    "--guard",
    "--listen",
    "--state-dir",
    "--max-sources",
    "--max-grants",
    "--log-level",
    "--log-format",
  ]);
});

test("the agent's port joins what default drop leaves open, only where it can be reached", async () => {
  const drop = { defaultDrop: true, allowCritical: true, serve: ["80/tcp"] };
  expect((await agentPod(drop)).args.filter((arg) => arg.startsWith("--serve"))).toEqual(["--serve=80/tcp"]);
  const scraped = await agentPod({ ...drop, podMonitor: { enabled: true }, listen: { port: 9999 } });
  expect(scraped.args.filter((arg) => arg.startsWith("--serve"))).toEqual(["--serve=80/tcp", "--serve=9999/tcp"]);
});

test("every option but those that make no sense in a pod has a value of its own", async () => {
  const seen = new Set<string>();
  for (const values of Object.values(shapes))
    for (const arg of (await agentPod(values)).args) seen.add(arg.replace(/^--|=.*/g, ""));
  const { args } = await agentPod({ ...guard, guardAddresses: ["192.0.2.9"] });
  for (const arg of args) seen.add(arg.replace(/^--|=.*/g, ""));
  const left = optionNames.filter((name) => !seen.has(name));
  // A socket is the pod's own business; node-name comes by the environment; commands and knockd.conf go through extraArgs.
  expect(left).toEqual(["knockd-conf", "node-name", "kubeconfig", "capture", "log-prefix", "allow-commands", "socket"]);
});

test.each(Object.entries(shapes))("policies in the values of the shape %s are sound", async (_name, values) => {
  const objects = await render(values);
  const mounted = find(objects, "Secret") ?? find(objects, "ConfigMap", "gate-knockgate-sequences");
  const { stringData, data = stringData } = (mounted ?? {}) as Rendered & Record<string, Record<string, string>>;
  const asFiles = Object.entries(data ?? {}).map(([origin, text]) => ({ origin, format: "yaml" as const, text }));
  const asObjects = objects.filter(({ kind }) => kind === "KnockSequence");
  expect(asFiles.length + asObjects.length).toBe(Object.keys(values.sequences ?? {}).length);
  const terms = { guards: [], served: [], allowCommands: false, allowCritical: false, defaultNamespace: "bastion" };
  expect(compile(asFiles, terms).problems.filter(({ severity }) => severity === "error")).toEqual([]);
});
