import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import { eventually } from "../netns/eventually.ts";
import { agentCapabilities, noNewPrivileges, writableFolders } from "./security-context.ts";

/** The image of this checkout, as the engine of the run has it. */
export const imageName = "knockgate:test";

/** How an agent's container is started. */
export interface AgentContainerOptions {
  /** A folder of this machine that is mounted as /etc/knockgate. */
  readonly config: string;
  /** `container:ID`, `host` or a network's name. */
  readonly networkMode: string;
  /** More flags of `knockgate agent`. */
  readonly args?: readonly string[];
  readonly capabilities?: readonly string[];
  /** What its log says when it has come as far as it will; default that it is ready. */
  readonly until?: RegExp;
}

/** A container without what the library has no word for. */
class ReadOnlyContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
  }
}

/** An agent in a container that has exactly the security context of the chart. */
export class AgentContainer {
  readonly container: StartedTestContainer;
  /** Lines of its log so far. */
  readonly lines: readonly string[];

  private constructor(container: StartedTestContainer, lines: readonly string[]) {
    this.container = container;
    this.lines = lines;
  }

  /** Resolves when the agent is ready, or as far as `until` says. */
  static async start(options: AgentContainerOptions): Promise<AgentContainer> {
    const { config, networkMode, args = [], capabilities = agentCapabilities, until = /"agent-ready"/ } = options;
    const lines: string[] = [];
    const container = new ReadOnlyContainer(imageName)
      .withCommand(["agent", "--config", "/etc/knockgate", ...args])
      .withNetworkMode(networkMode)
      .withDroppedCapabilities("ALL")
      .withAddedCapabilities(...capabilities)
      .withSecurityOpt(noNewPrivileges)
      .withTmpFs({ ...writableFolders })
      .withBindMounts([{ source: config, target: "/etc/knockgate", mode: "ro" }])
      .withLogConsumer((stream) => stream.on("data", (text: Buffer) => void lines.push(...String(text).split("\n"))))
      .withWaitStrategy(Wait.forLogMessage(until))
      .withStartupTimeout(60_000);
    return new AgentContainer(await container.start(), lines);
  }

  /** Runs a program in the container to its end; resolves to its standard output, and rejects unless it ends with 0. */
  async expect(...command: readonly string[]): Promise<string> {
    const { exitCode, output, stdout } = await this.container.exec([...command]);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${exitCode}\n${output}`);
    return stdout;
  }

  /** Resolves when the log has a line with this text. */
  async logged(text: string, timeoutMs = 15_000): Promise<string> {
    const found = async () => this.lines.find((line) => line.includes(text));
    return await eventually(found, { what: `the log to say ${text}; it says\n${this.lines.join("\n")}`, timeoutMs });
  }

  /** Asks its HTTP server on loopback. */
  async http(path: string): Promise<{ status: number; body: string }> {
    const program = `fetch("http://127.0.0.1:9780${path}").then(async (answer) => console.log(JSON.stringify({ status: answer.status, body: await answer.text() })))`;
    return JSON.parse(await this.expect("node", "-e", program)) as { status: number; body: string };
  }

  /** Ends and removes it; idempotent. */
  async remove(): Promise<void> {
    await this.container.stop({ timeout: 2000 });
  }
}

/**
 * Writes files as the kubelet does for a mounted ConfigMap: into a folder of their own, which the symbolic link `..data` names,
 * replaced in one step. `folder` is what is mounted.
 */
export function writeConfigMap(folder: string, generation: number, files: Readonly<Record<string, string>>): void {
  const data = `..generation-${generation}`;
  mkdirSync(join(folder, data), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, data, name), text);
  symlinkSync(data, join(folder, "..data_new"));
  renameSync(join(folder, "..data_new"), join(folder, "..data"));
  if (generation > 1) return;
  for (const name of Object.keys(files)) symlinkSync(join("..data", name), join(folder, name));
}
