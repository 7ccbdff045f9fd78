import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { policyText } from "../fake/policy-text.ts";
import { eventually } from "../netns/eventually.ts";
import { runToEnd } from "../netns/running-process.ts";
import { imageName } from "./agent-container.ts";
import { type DockerSite, sharedEngine } from "./shared-engine.ts";

const published = 8443;
const steps = ["7312/udp", "9127/tcp", "8845/udp"];
const composeFile = fileURLToPath(new URL("../../deploy/compose.yaml", import.meta.url));
const serve = `require("node:net").createServer((socket) => socket.on("error", () => {}).end("hello")).listen(80, () => console.log("serving"))`;

let site: DockerSite;
let folder: string;
let web: StartedTestContainer;

/** docker-compose(1) with the file that is shipped. */
async function compose(...args: readonly string[]): Promise<string> {
  const env = { KNOCKGATE_IMAGE: imageName, KNOCKGATE_POLICIES: folder, COMPOSE_PROJECT_NAME: "knockgate" };
  const { code, stdout, stderr } = await runToEnd("docker-compose", ["-f", composeFile, ...args], { env });
  if (code !== 0) throw new Error(`docker-compose ${args.join(" ")}: ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** What a host outside meets at the published port. */
const meets = (who: "visitor" | "stranger") => site[who].connect(site.docker.ipv4, published, { timeoutMs: 500 });

beforeAll(async () => {
  site = sharedEngine();
  folder = mkdtempSync(join(tmpdir(), `kg-config-${process.pid}-0-`));
  const opens = { ports: `[${published}]`, opensFor: "60s" };
  writeFileSync(
    join(folder, "web.yaml"),
    policyText({ name: "web", steps: "[7312/udp, 9127/tcp, 8845/udp]", ...opens }),
  );
  web = await new GenericContainer(imageName)
    .withEntrypoint(["node", "-e", serve])
    .withExposedPorts({ container: 80, host: published })
    .withWaitStrategy(Wait.forLogMessage("serving"))
    .start();
});

afterAll(async () => {
  await compose("down", "--volumes").finally(() => web?.stop({ timeout: 0 }));
  await Promise.all([site.docker, site.visitor, site.stranger].map((host) => host.end()));
  rmSync(folder, { recursive: true, force: true });
});

test("a port that Docker publishes is closed by the compose file's agent, opens for who has knocked, and is closed again", async () => {
  expect(await meets("visitor")).toBe("open");
  await compose("up", "--detach");
  const isReady = async () => (await compose("logs", "--no-color")).includes('"agent-ready"');
  await eventually(isReady, { what: "the agent of the compose file to be ready", timeoutMs: 60_000, everyMs: 200 });
  expect(await meets("visitor")).toBe("silent");

  await site.visitor.knock(site.docker.ipv4, steps);
  await eventually(async () => (await meets("visitor")) === "open", { what: "the door to open", timeoutMs: 10_000 });
  expect(await meets("stranger")).toBe("silent");

  await compose("exec", "-T", "knockgate", "knockgate", "revoke", site.visitor.ipv4);
  expect(await meets("visitor")).toBe("silent");
});

test("the agent's end leaves the published port closed, and cleanup opens it", async () => {
  await compose("stop");
  expect(await meets("visitor")).toBe("silent");
  await compose("run", "--rm", "knockgate", "cleanup");
  expect(await meets("visitor")).toBe("open");
});
