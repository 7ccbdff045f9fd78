import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { policyText } from "../fake/policy-text.ts";
import { runToEnd } from "../netns/running-process.ts";
import { AgentContainer, imageName, writeConfigMap } from "./agent-container.ts";
import { agentCapabilities, noNewPrivileges } from "./security-context.ts";
import { sharedEngine } from "./shared-engine.ts";

let config: string;
beforeAll(() => {
  sharedEngine();
  config = mkdtempSync(join(tmpdir(), `kg-config-${process.pid}-0-`));
  writeConfigMap(config, 1, { "ssh.yaml": policyText({ name: "ssh" }) });
});
afterAll(() => rmSync(config, { recursive: true, force: true }));

async function start(capabilities: readonly string[] = agentCapabilities, until?: RegExp): Promise<AgentContainer> {
  const more = until === undefined ? {} : { until };
  const agent = await AgentContainer.start({ config, networkMode: "bridge", capabilities, ...more });
  onTestFinished(() => agent.remove());
  return agent;
}

/** proc(5)'s account of a process, by field. */
async function statusOf(agent: AgentContainer, pid: string): Promise<ReadonlyMap<string, string>> {
  const lines = (await agent.expect("cat", `/proc/${pid}/status`)).split("\n");
  return new Map(lines.map((line) => [line.split(":")[0] ?? "", line.split(":").slice(1).join(":").trim()]));
}

/** Bits of capabilities(7): SETGID 6, SETUID 7, NET_ADMIN 12, NET_RAW 13. */
const fourCapabilities = (2 ** 6 + 2 ** 7 + 2 ** 12 + 2 ** 13).toString(16).padStart(16, "0");
const noCapability = "0".repeat(16);

test("the agent is root with four capabilities and no way to more, on a read-only root, under the default seccomp profile", async () => {
  const agent = await start();
  const status = await statusOf(agent, "1");
  expect(status.get("Uid")).toBe("0\t0\t0\t0");
  for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(status.get(set), set).toBe(fourCapabilities);
  expect(status.get("NoNewPrivs")).toBe("1");
  expect(status.get("Seccomp")).toBe("2");
  const written = await agent.container.exec(["touch", "/opt/knockgate/file"]);
  expect(written.output).toContain("Read-only file system");
});

test("the capture child is nobody without any capability", async () => {
  const agent = await start();
  const children = (await agent.expect("sh", "-c", "grep -l capture-child /proc/[0-9]*/cmdline")).split("\n");
  const [pid = ""] = children.flatMap((file) => /\d+/.exec(file)?.[0] ?? []);
  const status = await statusOf(agent, pid);
  expect(status.get("Uid")).toBe("65534\t65534\t65534\t65534");
  for (const set of ["CapPrm", "CapEff", "CapInh", "CapAmb"]) expect(status.get(set), set).toBe(noCapability);
});

test("nothing of npm or a compiler is in the image, and every program that the agent calls is", async () => {
  const agent = await start();
  const present = async (name: string) => (await agent.container.exec(["which", name])).exitCode === 0;
  for (const name of ["npm", "npx", "gcc", "g++", "make", "python3"]) expect(await present(name), name).toBe(false);
  for (const name of ["nft", "ss", "ip", "sh", "node", "knockgate"]) expect(await present(name), name).toBe(true);
});

test("the doctor finds its capabilities and libraries in the container", async () => {
  const agent = await start();
  const { output } = await agent.container.exec(["knockgate", "doctor"]);
  expect(output).not.toMatch(/NET_ADMIN is missing|NET_RAW is missing|libpcap cannot/);
});

test("without NET_ADMIN it ends with 1 and a sentence that names it", async () => {
  const rights = agentCapabilities.filter((one) => one !== "NET_ADMIN").flatMap((one) => ["--cap-add", one]);
  const limits = ["--cap-drop", "ALL", ...rights, "--security-opt", noNewPrivileges, "--read-only"];
  const mount = ["--volume", `${config}:/etc/knockgate:ro`, "--env", "KNOCKGATE_CONFIG=/etc/knockgate"];
  const { code, stderr } = await runToEnd("docker", ["run", "--rm", ...limits, ...mount, imageName]);
  expect(stderr).toMatch(/nftables needs the capability NET_ADMIN.*add NET_ADMIN/);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(code).toBe(1);
});

test("without NET_RAW it is not ready, and log and /readyz say what to give", async () => {
  const until = /Cannot capture on eth0: .*NET_RAW/;
  const agent = await start(
    agentCapabilities.filter((one) => one !== "NET_RAW"),
    until,
  );
  const { status, body } = await agent.http("/readyz");
  expect(status).toBe(503);
  expect(body).toMatch(until);
});

test("without SETUID and SETGID it works, and says once that the capture keeps its privileges", async () => {
  const agent = await start(["NET_ADMIN", "NET_RAW"]);
  await agent.logged("give the container SETUID and SETGID");
  expect(agent.lines.filter((line) => line.includes("SETUID and SETGID"))).toHaveLength(1);
});

test("SIGTERM ends it with 0 within the two seconds after which Docker would kill it", async () => {
  const agent = await start();
  const id = agent.container.getId();
  await runToEnd("docker", ["stop", "--time", "2", id]);
  const { stdout } = await runToEnd("docker", ["inspect", "--format", "{{.State.ExitCode}}", id]);
  expect(stdout.trim()).toBe("0");
  await agent.logged('"agent-stopped"');
});
