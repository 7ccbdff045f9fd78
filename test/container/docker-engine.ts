import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../netns/eventually.ts";
import type { Host } from "../netns/host.ts";
import { RunningProcess, type RunResult, runToEnd } from "../netns/running-process.ts";

const program = fileURLToPath(new URL("../../deploy/host/docker-engine.sh", import.meta.url));

/**
 * A Docker engine on a host of a test: its bridges, rules and published ports are in that network namespace, and this
 * machine's own stay as they are. Whatever it started ends with it, and it ends with this process.
 */
export class DockerEngine {
  /** For DOCKER_HOST. */
  readonly address: string;
  private readonly process: RunningProcess;

  private constructor(process: RunningProcess, address: string) {
    this.process = process;
    this.address = address;
  }

  /** Resolves when it answers. Images and containers are kept in `folder`, which is removed by its owner. */
  static async start(host: Host, folder: string): Promise<DockerEngine> {
    // Not `ip netns exec`: it hides the control groups.
    const into = [`--net=/run/netns/${host.namespace}`, "sh", program, folder];
    const started = new RunningProcess("nsenter", into);
    const engine = new DockerEngine(started, `unix://${join(folder, "docker.sock")}`);
    const answers = async () => {
      if (started.isOver) throw new Error(`dockerd has ended\n${started.text}`);
      return (await engine.docker("version")).code === 0;
    };
    await eventually(answers, { what: "the Docker engine to answer", timeoutMs: 60_000, everyMs: 100 });
    return engine;
  }

  /** Runs docker(1) against it. */
  docker(...args: readonly string[]): Promise<RunResult> {
    return runToEnd("docker", args, { env: { DOCKER_HOST: this.address } });
  }

  /** Takes the images of an archive. */
  async load(archive: string): Promise<void> {
    const { code, stderr } = await this.docker("load", "--quiet", "--input", archive);
    if (code !== 0) throw new Error(`docker load: ${stderr}`);
  }

  /** Stops what still runs, then itself. */
  async stop(): Promise<void> {
    this.process.endInput();
    await this.process.ended;
  }
}
