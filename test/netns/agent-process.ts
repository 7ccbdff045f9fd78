import { mkdirSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import type { Ending, RunningProcess, RunResult } from "./running-process.ts";
import type { World } from "./world.ts";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** How an agent is started. */
export interface AgentOptions {
  /** The YAML of its policies: one file, or several by name. */
  readonly policies?: string | Readonly<Record<string, string>>;
  /** More flags of `knockgate agent`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of its HTTP server on loopback; default 9780. */
  readonly port?: number;
  /** Another agent's folder, to start again with what that one left. */
  readonly folder?: string;
  /** A command, given the agent's own as more arguments, that ends with `exec "$@"`: for mounts and redirections. */
  readonly through?: readonly string[];
  /** The compiled program; default that of this checkout. */
  readonly program?: string;
}

/** A real agent in a host's namespace, with configuration, state and socket in a folder of its own. */
export class AgentProcess {
  readonly process: RunningProcess;
  /** Holds `config/`, `state/` and `agent.sock`. */
  readonly folder: string;
  readonly port: number;
  private readonly host: Host;

  private constructor(host: Host, process: RunningProcess, folder: string, port: number) {
    this.host = host;
    this.process = process;
    this.folder = folder;
    this.port = port;
  }

  /** Starts an agent and resolves when `/readyz` answers 200; rejects with its log when it ends or is not in time. */
  static async start(world: World, host: Host, options: AgentOptions = {}): Promise<AgentProcess> {
    const agent = AgentProcess.launch(world, host, options);
    await agent.ready();
    return agent;
  }

  /** Starts an agent without waiting for it. */
  static launch(world: World, host: Host, options: AgentOptions = {}): AgentProcess {
    const folder = options.folder ?? mkdtempSync(join(world.folder, "agent-"));
    const port = options.port ?? 9780;
    mkdirSync(join(folder, "config"), { recursive: true });
    const policies = typeof options.policies === "string" ? { "policies.yaml": options.policies } : options.policies;
    for (const [name, text] of Object.entries(policies ?? {})) writeFileSync(join(folder, "config", name), text);
    const places = ["--config", join(folder, "config"), "--state-dir", join(folder, "state")];
    const doors = ["--socket", join(folder, "agent.sock"), "--listen", `127.0.0.1:${port}`];
    const own = [options.program ?? program, "agent", ...places, ...doors, ...(options.args ?? [])];
    const [command = process.execPath, ...args] = [...(options.through ?? []), process.execPath, ...own];
    const process_ = host.start(command, args, options.env === undefined ? {} : { env: options.env });
    return new AgentProcess(host, process_, folder, port);
  }

  /** Resolves when `/readyz` answers 200. */
  async ready(timeoutMs = 15_000): Promise<void> {
    let last = "nothing";
    const ask = async () => {
      if (this.process.isOver) throw new Error(`the agent ended\n${this.process.text}`);
      const answer = await this.host.http(this.port, "/readyz");
      last = `${answer.status} ${answer.body}`;
      return answer.status === 200;
    };
    try {
      await eventually(ask, { what: "the agent to be ready", timeoutMs });
    } catch (error) {
      throw new Error(`${String(error)}; it last said ${last}\n${this.process.text}`, { cause: error });
    }
  }

  /** Asks its HTTP server, from inside the namespace; status 0 when it does not answer. */
  http(path: string): Promise<{ status: number; body: string }> {
    return this.host.http(this.port, path);
  }

  /** The value of one series, such as `knockgate_grants_total{policy="a/b",result="added"}`; undefined when absent. */
  async metric(series: string): Promise<number | undefined> {
    const { body } = await this.http("/metrics");
    const line = body.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  /** Replaces a policy file as careful editors do: written beside it, then renamed. */
  writePolicy(name: string, text: string): void {
    const file = join(this.folder, "config", name);
    writeFileSync(`${file}.new~`, text);
    renameSync(`${file}.new~`, file);
  }

  /** Runs another command of the program in the agent's namespace, with its socket where the command takes one. */
  cli(command: string, ...args: string[]): Promise<RunResult> {
    const takesSocket = ["grants", "revoke", "watch", "cleanup", "confirm"].includes(command);
    const socket = takesSocket ? ["--socket", join(this.folder, "agent.sock")] : [];
    return this.host.run(process.execPath, [program, command, ...socket, ...args]);
  }

  /** The table as nft prints it; empty when there is none. */
  async table(): Promise<string> {
    return (await this.host.run("nft", ["list", "table", "inet", "knockgate"])).stdout;
  }

  /**
   * The elements of one set as nft prints them, empty when there are none: "10.77.0.2 . tcp . 22 timeout 30s ...". Where
   * /etc/protocols is missing nft prints protocols as numbers; here they have their names everywhere.
   */
  async elements(set: string): Promise<readonly string[]> {
    const { stdout } = await this.host.run("nft", ["list", "set", "inet", "knockgate", set]);
    const inside = /elements = \{([^}]*)\}/.exec(stdout)?.[1] ?? "";
    const named = inside.replace(/(?<=\s|^)6 \. /g, "tcp . ").replace(/(?<=\s|^)17 \. /g, "udp . ");
    return named.split(",").flatMap((element) => element.replace(/\s+/g, " ").trim() || []);
  }

  /** Ends it with SIGTERM. */
  stop(): Promise<Ending> {
    return this.process.stop();
  }

  /** Ends it with SIGKILL: no clean-up of any kind. */
  kill(): Promise<Ending> {
    return this.process.stop("SIGKILL");
  }
}
