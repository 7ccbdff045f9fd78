import { AgentProcess } from "../netns/agent-process.ts";
import type { Host } from "../netns/host.ts";
import { World } from "../netns/world.ts";
import type { ElementKey, SoakPolicy } from "./door-model.ts";

/** Three manners of opening: soon over, closed by a knock, and until closed. */
export const soakPolicies: readonly SoakPolicy[] = [
  { name: "short", steps: ["8861/tcp", "7341/udp", "9171/tcp"], ports: ["tcp . 4101"], openMs: 6000 },
  {
    name: "long",
    steps: ["8862/udp", "7342/udp", "9172/tcp"],
    closedBy: ["9182/tcp", "7352/udp", "8872/udp"],
    ports: ["tcp . 4102", "udp . 4103"],
    openMs: 40_000,
  },
  {
    name: "lasting",
    steps: ["8863/tcp", "7343/tcp", "9173/udp"],
    closedBy: ["9183/udp", "7353/tcp", "8873/tcp"],
    ports: ["tcp . 4104"],
    openMs: Number.POSITIVE_INFINITY,
  },
];

/** A policy that nobody knocks on: it comes and goes, and with it another filter. */
export const extraPolicy = yaml({
  name: "extra",
  steps: ["8864/tcp", "7344/udp", "9174/tcp"],
  ports: ["tcp . 4105"],
  openMs: 5000,
});

/** The file that all doors stand in. */
export const doorsFile = "doors.yaml";
export const doorsText = soakPolicies.map(yaml).join("---\n");

function yaml({ name, steps, closedBy, ports, openMs }: SoakPolicy): string {
  const texts = ports.map((port) => port.split(" . ").reverse().join("/"));
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: soak }
spec:
  knock: { steps: [${steps.join(", ")}], within: 10s }
  opens: { ports: [${texts.join(", ")}], for: ${openMs === Number.POSITIVE_INFINITY ? 0 : openMs}ms }
${closedBy === undefined ? "" : `  closedBy: { steps: [${closedBy.join(", ")}] }\n`}`;
}

/** The gate with its agent, and a host with all visitors' addresses. */
export class SoakWorld {
  readonly gate: Host;
  readonly clients: Host;
  readonly flooder: Host;
  readonly world: World;
  readonly sources: readonly string[];
  readonly strangers: readonly string[];
  agent: AgentProcess;
  /** How often an agent was started. */
  starts = 1;

  private constructor(world: World, agent: AgentProcess, sources: readonly string[], strangers: readonly string[]) {
    this.world = world;
    this.gate = world.host("gate");
    this.clients = world.host("clients");
    this.flooder = world.host("flooder");
    this.agent = agent;
    this.sources = sources;
    this.strangers = strangers;
  }

  /** Builds it and starts the agent. */
  static async build(): Promise<SoakWorld> {
    const world = await World.build("soak", ["gate", "clients", "flooder"]);
    try {
      const [gate, clients] = [world.host("gate"), world.host("clients")];
      const four = Array.from({ length: 9 }, (_, at) => `10.77.16.${at + 1}`);
      const six = Array.from({ length: 6 }, (_, at) => `fd77::16:${at + 1}`);
      await clients.expect("ip", ["route", "add", "local", "10.77.16.0/24", "dev", clients.link]);
      const batch = six.map((source) => `address add ${source}/64 dev ${clients.link} nodad\n`).join("");
      await clients.expect("ip", ["-6", "-batch", "-"], { input: batch });
      await gate.expect("sh", ["-c", "echo 1 > /proc/sys/net/ipv6/conf/all/keep_addr_on_down"]);
      await gate.serve(["4101/tcp", "4102/tcp", "4103/udp", "4104/tcp"]);
      const agent = await AgentProcess.start(world, gate, { policies: { [doorsFile]: doorsText } });
      return new SoakWorld(
        world,
        agent,
        [...four.slice(0, 6), ...six.slice(0, 4)],
        [...four.slice(6), ...six.slice(4)],
      );
    } catch (error) {
      await world.remove();
      throw error;
    }
  }

  /** Starts an agent with the folder of the last one, which has ended. */
  async startAgain(): Promise<void> {
    this.starts++;
    this.agent = AgentProcess.launch(this.world, this.gate, { folder: this.agent.folder });
    await this.agent.ready();
  }

  /** Ends everything and removes all namespaces. */
  remove(): Promise<void> {
    return this.world.remove();
  }

  /** The address of the gate in a source's family. */
  target(source: string): string {
    return source.includes(":") ? this.gate.ipv6 : this.gate.ipv4;
  }

  /** What the kernel has open, with the milliseconds left. */
  async granted(): Promise<ReadonlyMap<ElementKey, number>> {
    const elements = [...(await this.agent.elements("granted4")), ...(await this.agent.elements("granted6"))];
    return new Map(elements.map((element) => [/^\S+ \. \w+ \. \d+/.exec(element)?.[0] ?? element, leftMs(element)]));
  }
}

/** `… timeout 6s expires 4s972ms …`. */
function leftMs(element: string): number {
  const text = / expires (\w+)/.exec(element)?.[1];
  if (text === undefined) return element.includes(" timeout ") ? 0 : Number.POSITIVE_INFINITY;
  const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  return [...text.matchAll(/(\d+)(ms|[dhms])/g)].reduce(
    (sum, [, n, unit = ""]) => sum + Number(n) * (units[unit] ?? 0),
    0,
  );
}
