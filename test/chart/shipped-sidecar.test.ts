import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { compile } from "../../src/policy/compile.ts";
import { agentPod, podOf } from "./agent-pod.ts";
import { find, type Rendered, shapes, specOf } from "./chart.ts";
import { readAgentArgs } from "./given-options.ts";

const text = readFileSync(new URL("../../deploy/sidecar.yaml", import.meta.url), "utf8");
const objects = parseAllDocuments(text).map((document) => document.toJS() as Rendered);
const sidecar = podOf(find(objects, "Deployment")).initContainers?.[0];

test("deploy/sidecar.yaml runs the agent as the chart does", async () => {
  const { container } = await agentPod(shapes.sidecar);
  for (const key of ["restartPolicy", "securityContext", "resources", "image", "ports", "startupProbe"] as const)
    expect([key, sidecar?.[key]]).toEqual([key, withoutDefaults(container[key])]);
  expect(readAgentArgs(sidecar?.args ?? []).trusts).toHaveLength(1);
});

test("its policy is sound, and its Service lets its steps and its door through", () => {
  const { stringData } = find(objects, "Secret") as Rendered & { stringData: Record<string, string> };
  const origin = "web.yaml";
  const terms = { guards: [], served: [], allowCommands: false, allowCritical: false, defaultNamespace: "default" };
  const { policies, problems } = compile([{ origin, format: "yaml", text: stringData[origin] ?? "" }], terms);
  expect(problems).toEqual([]);
  const { ports } = specOf<{
    readonly ports: readonly { port: number; protocol?: string }[];
  }>(objects, "Service");
  const served = ports.map(({ port, protocol = "TCP" }) => `${port}/${protocol.toLowerCase()}`).sort();
  expect(served).toEqual(["24817/udp", "51206/udp", "8080/tcp", "9342/tcp"]);
  expect(policies).toHaveLength(1);
});

/** The chart writes out what Kubernetes would put in. */
function withoutDefaults(value: unknown): unknown {
  return Array.isArray(value) ? value.map(({ protocol: _tcp, ...port }) => port) : value;
}
