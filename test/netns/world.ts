import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Host } from "./host.ts";
import { removeLeftovers, removeNamespace } from "./leftovers.ts";
import { runToEnd } from "./running-process.ts";

let built = 0;

/**
 * A few hosts on one segment, each a network namespace with IPv4 and IPv6. Two hosts are joined by a veth pair, more by a
 * bridge in a namespace of its own. Build it in `beforeAll`, remove it in `afterAll`; it also goes when the process
 * exits, and what a killed process left is removed before the next world is built.
 */
export class World {
  /** A folder for files of this world; removed with it. */
  readonly folder: string;
  private readonly prefix: string;
  private readonly hosts = new Map<string, Host>();
  private readonly namespaces: string[] = [];
  private readonly onExit = () => this.removeAtExit();

  private constructor(word: string) {
    this.prefix = `kg-${word}-${process.pid}-${built++}`;
    this.folder = mkdtempSync(join(tmpdir(), `${this.prefix}-`));
    process.once("exit", this.onExit);
  }

  /** Builds the hosts named, in the order of their addresses: the first has 10.77.0.1 and fd77::1. */
  static async build(word: string, names: readonly string[]): Promise<World> {
    removeLeftovers();
    const world = new World(word);
    try {
      for (const name of names) await world.addNamespace(name);
      await (names.length === 2 ? world.joinDirectly() : world.joinByBridge());
      await Promise.all([...world.hosts.values()].map(bringUp));
    } catch (error) {
      await world.remove();
      throw error;
    }
    return world;
  }

  /** A host by its name. */
  host(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name} in this world`);
    return host;
  }

  /** Ends all programs and removes all namespaces; idempotent. */
  async remove(): Promise<void> {
    process.off("exit", this.onExit);
    await Promise.all([...this.hosts.values()].map((host) => host.end()));
    for (const namespace of this.namespaces.splice(0)) removeNamespace(namespace);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private removeAtExit(): void {
    for (const host of this.hosts.values()) host.kill();
    for (const namespace of this.namespaces) removeNamespace(namespace);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async addNamespace(name: string): Promise<void> {
    const namespace = `${this.prefix}-${name}`;
    await ip(["netns", "add", namespace]);
    this.namespaces.push(namespace);
    this.hosts.set(name, new Host(name, namespace, this.hosts.size + 1));
  }

  private async joinDirectly(): Promise<void> {
    const [one, other] = [...this.hosts.values()];
    if (one === undefined || other === undefined) return;
    const peer = ["peer", "name", other.link, "netns", other.namespace];
    await ip(["-n", one.namespace, "link", "add", one.link, "type", "veth", ...peer]);
  }

  private async joinByBridge(): Promise<void> {
    const middle = `${this.prefix}-segment`;
    await ip(["netns", "add", middle]);
    this.namespaces.push(middle);
    await ip(["-n", middle, "link", "add", "bridge0", "type", "bridge", "mcast_snooping", "0"]);
    await ip(["-n", middle, "link", "set", "bridge0", "up"]);
    for (const host of this.hosts.values()) {
      const peer = ["peer", "name", host.link, "netns", host.namespace];
      await ip(["-n", middle, "link", "add", `to-${host.name}`, "type", "veth", ...peer]);
      await ip(["-n", middle, "link", "set", `to-${host.name}`, "master", "bridge0", "up"]);
    }
  }
}

/** Duplicate address detection is off everywhere: an address that is tentative for a second is a test that waits. */
async function bringUp(host: Host): Promise<void> {
  const script = [
    `for link in all default ${host.link}; do echo 0 > /proc/sys/net/ipv6/conf/$link/accept_dad; done`,
    "ip link set lo up",
    `ip link set ${host.link} address ${host.mac} up`,
    `ip address add ${host.ipv4}/16 brd + dev ${host.link}`,
    `ip address add ${host.ipv6}/64 dev ${host.link} nodad`,
  ];
  await host.expect("sh", ["-ec", script.join("\n")]);
}

async function ip(args: readonly string[]): Promise<void> {
  const result = await runToEnd("ip", args);
  if (result.code !== 0) throw new Error(`ip ${args.join(" ")}: ${result.stderr.trim()}`);
}
