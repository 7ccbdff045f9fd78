import { AgentProcess } from "../netns/agent-process.ts";
import type { Host } from "../netns/host.ts";
import { PacketSender, sentPackets } from "../netns/packet-sender.ts";
import { World } from "../netns/world.ts";
import { PrometheusServer } from "./prometheus-server.ts";

/** The doors of both nodes; the south has commands too, one of which always fails. */
const doors = {
  ssh: { steps: ["7312/udp", "9127/tcp", "8845/udp"], ports: "[22/tcp]", more: "" },
  admin: { steps: ["5311/tcp", "6127/udp", "4845/tcp"], ports: "[8443/tcp, 9443/tcp]", more: "" },
  backup: {
    steps: ["3311/udp", "2127/udp", "1845/tcp"],
    ports: "[873/tcp]",
    more: "  run: { opened: [/bin/true], closed: [/bin/false] }\n",
  },
} as const;
export type DoorName = keyof typeof doors;

function policyOf(name: DoorName): string {
  const { steps, ports, more } = doors[name];
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${name}, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}], within: 2s }
  opens: { ports: ${ports}, for: 5s }
${more}`;
}

/** An address of the client's from which nobody is let in. */
const unwelcome = "10.77.9.9";
const spareLink = "spare0";

/**
 * Two gated nodes, a client, and a Prometheus that scrapes both nodes: everything is real, and what can go wrong on them can
 * be made to.
 */
export class WatchedNodes {
  readonly north: AgentProcess;
  readonly south: AgentProcess;
  readonly prometheus: PrometheusServer;
  private readonly world: World;

  private constructor(world: World, north: AgentProcess, south: AgentProcess, prometheus: PrometheusServer) {
    this.world = world;
    this.north = north;
    this.south = south;
    this.prometheus = prometheus;
  }

  static async build(): Promise<WatchedNodes> {
    const world = await World.build("watched", ["north", "south", "alice", "monitor"]);
    try {
      const [north, south] = [world.host("north"), world.host("south")];
      await addSpareLink(south);
      await world.host("alice").expect("ip", ["address", "add", `${unwelcome}/16`, "dev", "eth0"]);
      const listen = ["--listen", "0.0.0.0:9780", "--never-grant", `${unwelcome}/32`];
      const narrow = ["--max-sources", "400", "--max-grants", "4", "--allow-commands"];
      const taps = ["--interface", "eth0", "--interface", spareLink];
      const [first, second] = await Promise.all([
        AgentProcess.start(world, north, { policies: policyOf("ssh"), args: listen }),
        AgentProcess.start(world, south, { policies: allDoors(), args: [...listen, ...narrow, ...taps] }),
      ]);
      const targets = { north: `${north.ipv4}:9780`, south: `${south.ipv4}:9780` };
      const prometheus = await PrometheusServer.start(world, world.host("monitor"), targets);
      return new WatchedNodes(world, first, second, prometheus);
    } catch (error) {
      await world.remove();
      throw error;
    }
  }

  /** Ends everything, Prometheus first: it has a database to close. */
  async remove(): Promise<void> {
    await this.prometheus.stop();
    await this.world.remove();
  }

  /** Knocks rightly. */
  async knock(node: "north" | "south", door: DoorName, family: "ipv4" | "ipv6" = "ipv4"): Promise<void> {
    await this.alice.knock(this.world.host(node)[family], doors[door].steps);
  }

  /** Knocks rightly, from an address that is never let in. */
  async knockUnwelcome(node: "north" | "south", door: DoorName): Promise<void> {
    await this.alice.knock(this.world.host(node).ipv4, doors[door].steps, { sourceAddress: unwelcome });
  }

  /** Begins, and leaves a step out. */
  async err(node: "north" | "south", door: DoorName): Promise<void> {
    const [first, , third] = doors[door].steps;
    await this.alice.knock(this.world.host(node).ipv4, [first, third]);
  }

  /** Begins, and goes on when the time is over. */
  async dawdle(node: "north" | "south", door: DoorName, untilOver: Promise<unknown>): Promise<void> {
    const [first, second] = doors[door].steps;
    await this.alice.knock(this.world.host(node).ipv4, [first]);
    await untilOver;
    await this.alice.knock(this.world.host(node).ipv4, [second]);
  }

  /** Tries a guarded port without a knock; costs the wait. */
  async tryDoor(node: "north" | "south", port: number, timeoutMs: number): Promise<void> {
    await this.alice.connect(this.world.host(node).ipv4, port, { timeoutMs });
  }

  /** So many packets from as many forged addresses: the first step and a wrong one each, or what scanners try. */
  async flood(node: "north" | "south", kind: "guess" | "scan", packets: number, perSecond: number): Promise<void> {
    const [host, { steps }] = [this.world.host(node), doors.ssh];
    const ports = kind === "guess" ? [steps[0], steps[2]] : [steps[1], "22/tcp", steps[2]];
    const kinds = ports.map((step) => {
      const [port, protocol] = step.split("/") as [string, "tcp" | "udp"];
      return {
        packet: { target: host.ipv4, protocol, port: Number(port) },
        sources: { first: "198.18.0.1", count: 60_000 },
      };
    });
    const flood = new PacketSender(this.world, this.alice, host).startSpoofed(kinds, packets, { perSecond });
    await flood.ended;
    if (sentPackets(flood) !== packets) throw new Error(`tcpreplay sent less than ${packets}\n${flood.text}`);
  }

  /** Somebody deletes the table of the south. */
  async deleteTable(): Promise<void> {
    await this.world.host("south").expect("nft", ["delete", "table", "inet", "knockgate"]);
  }

  /** The south loses a link that it was told to tap, or gets it back. */
  async spare(act: "lose" | "bring back"): Promise<void> {
    const south = this.world.host("south");
    if (act === "bring back") await addSpareLink(south);
    else await south.expect("ip", ["link", "delete", spareLink]);
  }

  /** The south's policies gain one that is rejected, or are what they were. */
  reject(yes: boolean): void {
    const bad = policyOf("ssh").replace("name: ssh", "name: again");
    this.south.writePolicy("policies.yaml", yes ? `${allDoors()}---\n${bad}` : allDoors());
  }

  /** The north's policies turn to something that nobody can read, or are what they were. */
  garble(yes: boolean): void {
    this.north.writePolicy("policies.yaml", yes ? "spec: [" : policyOf("ssh"));
  }

  private get alice(): Host {
    return this.world.host("alice");
  }
}

function allDoors(): string {
  return (Object.keys(doors) as DoorName[]).map(policyOf).join("---\n");
}

/** A pair, of which the other end is used by nobody. */
async function addSpareLink(host: Host): Promise<void> {
  await host.expect("ip", ["link", "add", spareLink, "type", "veth", "peer", "name", "spare1"]);
  for (const link of [spareLink, "spare1"]) await host.expect("ip", ["link", "set", link, "up"]);
}
