import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Network, type StartedNetwork } from "testcontainers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { policyText } from "../fake/policy-text.ts";
import { eventually } from "../netns/eventually.ts";
import { AgentContainer, writeConfigMap } from "./agent-container.ts";
import { NetworkContainer } from "./network-container.ts";
import { sharedEngine } from "./shared-engine.ts";

const [ssh, web, free] = [2222, 8080, 8081];
const steps = ["7312/udp", "9127/tcp", "8845/udp"];
const otherSteps = ["7413/udp", "9228/tcp", "8946/udp"];
const sshPolicy = policyText({ name: "ssh", steps: "[7312/udp, 9127/tcp, 8845/udp]", ports: `[${ssh}]` });
const webPolicy = policyText({ name: "web", steps: "[7413/udp, 9228/tcp, 8946/udp]", ports: `[${web}]` });

let config: string;
let network: StartedNetwork;
let service: NetworkContainer;
let visitor: NetworkContainer;
let stranger: NetworkContainer;
let agent: AgentContainer;

beforeAll(async () => {
  sharedEngine();
  config = mkdtempSync(join(tmpdir(), `kg-config-${process.pid}-0-`));
  writeConfigMap(config, 1, { "policies.yaml": sshPolicy });
  network = await new Network().start();
  const all = [[ssh, web, free], [], []].map((ports) => NetworkContainer.start(network, ports));
  [service, visitor, stranger] = (await Promise.all(all)) as [NetworkContainer, NetworkContainer, NetworkContainer];
  const networkMode = `container:${service.container.getId()}`;
  agent = await AgentContainer.start({
    config,
    networkMode,
    args: ["--guard", `${web}/tcp`, "--listen", "0.0.0.0:9780"],
  });
});

afterAll(async () => {
  for (const one of [agent, service, visitor, stranger]) await one?.remove();
  await network?.stop();
  rmSync(config, { recursive: true, force: true });
});

test("a knock from another container opens one door for that container, and nothing else", async () => {
  expect(await visitor.meets(service.address, ssh)).toBe("silent");
  expect(await visitor.knock(service.address, steps, "--open", String(ssh))).toContain("answered after");
  expect(await visitor.meets(service.address, ssh)).toBe("open");
  expect(await stranger.meets(service.address, ssh)).toBe("silent");
  expect(await visitor.meets(service.address, web)).toBe("silent");
  expect(await visitor.meets(service.address, free)).toBe("open");
});

test("health, status and metrics are served to the probe inside and to the scraper outside", async () => {
  for (const path of ["/livez", "/readyz", "/healthz", "/statusz"])
    expect((await agent.http(path)).status, path).toBe(200);
  expect((await agent.http("/metrics")).body).toMatch(/^knockgate_build_info\{.*version=".+".*revision="\w+".*\} 1$/m);
  const scrape = `fetch("http://${service.address}:9780/metrics").then((answer) => answer.text()).then(console.log)`;
  const { stdout } = await visitor.container.exec(["node", "-e", scrape]);
  expect(stdout).toMatch(/^knockgate_capture_up\{.*\} 1$/m);
});

test("what is changed in a mounted ConfigMap comes into force", async () => {
  expect(await visitor.meets(service.address, web)).toBe("silent");
  const from = agent.lines.length;
  writeConfigMap(config, 2, { "policies.yaml": `${sshPolicy}---\n${webPolicy}` });
  const isInForce = async () => agent.lines.slice(from).some((line) => line.includes('"config-accepted"'));
  await eventually(isInForce, { what: "the changed ConfigMap to be in force", timeoutMs: 15_000 });
  await visitor.knock(service.address, otherSteps, "--open", String(web));
  expect(await visitor.meets(service.address, web)).toBe("open");
  expect(await stranger.meets(service.address, web)).toBe("silent");
});
