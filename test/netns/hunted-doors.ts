import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandFirewall } from "./command-firewall.ts";
import { eventually } from "./eventually.ts";
import type { Host } from "./host.ts";
import { startKnockd } from "./knockd-service.ts";
import type { World } from "./world.ts";

/** One door of the gate, as other programs make them: what a source does to get in. */
export interface HuntedDoor {
  readonly kind: string;
  /** The TCP port behind the door. */
  readonly port: number;
  /** As the hunt writes them. */
  readonly steps: readonly string[];
  /** Knocks with the source's address; resolves when the port is open. */
  knock(source: string): Promise<void>;
}

const rijndaelKey = "zm73OZxX/qTxLYr69SEDuJzbYBJ05cvbPtQYjg8Ayhs=";
const hmacKey = "0CQni8RSTN/7bW9e1aja1Kv+Vub9exrC2wy4I1qjD2C7wQaGh5cm+ayXytWqEbP8JxKUjQUTAKbS75eubBwzEA==";

/** What knockd listens to; `nmap` sends what knockd's own client cannot. */
const knockdDoors = [
  { kind: "knockd, TCP", port: 2201, sequence: "7001,8001,9001", client: "knock" },
  { kind: "knockd, UDP", port: 2202, sequence: "7002:udp,8002:udp,9002:udp", client: "knock" },
  { kind: "knockd, five steps, both", port: 2203, sequence: "7003:udp,8003,9003:udp,7103,8103:udp", client: "knock" },
  { kind: "knockd, FIN packets", port: 2204, sequence: "7004,8004,9004", client: "nmap" },
  { kind: "knockd, two steps", port: 2208, sequence: "7008,8008", client: "knock" },
] as const;

/**
 * A gate with doors of the real knockd and fwknopd, of iptables' `recent` match, and of nftables sets alone. The client has the
 * addresses of its sources; before programs that cannot be told a source, its route to the gate is.
 */
export class HuntedDoors {
  readonly #world: World;
  readonly #gate: Host;
  readonly #client: Host;
  readonly #firewall: CommandFirewall;

  private constructor(world: World, gate: Host, client: Host, firewall: CommandFirewall) {
    this.#world = world;
    this.#gate = gate;
    this.#client = client;
    this.#firewall = firewall;
  }

  /** Closes the ports and starts what opens them. */
  static async build(world: World, gate: Host, client: Host): Promise<readonly HuntedDoor[]> {
    const closed = [...knockdDoors.map(({ port }) => port), 2205];
    const doors = new HuntedDoors(world, gate, client, await CommandFirewall.build(world, gate, closed));
    return [...(await doors.#knockd()), await doors.#fwknop(), await doors.#recent(), await doors.#sets()];
  }

  async #knockd(): Promise<HuntedDoor[]> {
    const doors = knockdDoors.map(({ kind, port, sequence, client }) => ({
      name: kind.replaceAll(/\W+/g, "-"),
      sequence,
      tcpFlags: client === "nmap" ? "fin" : "syn",
      command: `${this.#firewall.open} ${port} %IP%`,
    }));
    await startKnockd(this.#world, this.#gate, doors);
    return knockdDoors.map(({ kind, port, sequence, client }) => {
      const steps = sequence.split(",");
      const knock = async (source: string) => {
        await this.#routeFrom(source);
        if (client === "knock") await this.#client.expect("knock", ["-d", "50", this.#gate.ipv4, ...steps]);
        else for (const step of steps) await this.#fin(source, step);
        await this.#allowed(port, source);
      };
      const suffix = client === "nmap" ? "tcp-odd" : "tcp";
      return {
        kind,
        port,
        steps: steps.map((step) => (step.endsWith(":udp") ? step.replace(":", "/") : `${step}/${suffix}`)),
        knock,
      };
    });
  }

  async #fin(source: string, port: string): Promise<void> {
    const args = ["-n", "-Pn", "-sF", "--max-retries", "0", "-S", source, "-e", this.#client.link, "-p", port];
    await this.#client.expect("nmap", [...args, this.#gate.ipv4]);
  }

  async #fwknop(): Promise<HuntedDoor> {
    const folder = join(this.#world.folder, "fwknop");
    mkdirSync(folder, { mode: 0o700 });
    const access = `SOURCE ANY
KEY_BASE64 ${rijndaelKey}
HMAC_KEY_BASE64 ${hmacKey}
CMD_CYCLE_OPEN ${this.#firewall.open} 2205 $IP
CMD_CYCLE_CLOSE NONE
`;
    const files = { access: join(folder, "access.conf"), server: join(folder, "fwknopd.conf") };
    writeFileSync(files.access, access, { mode: 0o600 });
    writeFileSync(files.server, `PCAP_INTF ${this.#gate.link};\nFWKNOP_RUN_DIR ${folder};\n`, { mode: 0o600 });
    const state = ["-r", folder, "-p", join(folder, "pid"), "-d", join(folder, "digests")];
    const server = this.#gate.start("fwknopd", ["-f", "-v", "-c", files.server, "-a", files.access, ...state]);
    await server.waitForLine(/Starting fwknopd main event loop/);
    const keys = ["--key-base64-rijndael", rijndaelKey, "--key-base64-hmac", hmacKey, "--use-hmac"];
    const knock = async (source: string) => {
      await this.#routeFrom(source);
      const args = ["-A", "tcp/2205", "-a", source, "-D", this.#gate.ipv4, ...keys, "--no-save-args"];
      await this.#client.expect("fwknop", args, { env: { HOME: folder } });
      await this.#allowed(2205, source);
    };
    return { kind: "fwknop, one packet", port: 2205, steps: ["62201/udp"], knock };
  }

  /** The rules that pages about iptables give: each stage is a list of addresses seen in the last seconds. */
  async #recent(): Promise<HuntedDoor> {
    const stage = (port: number, ...match: readonly string[]) => [
      "-A",
      "INPUT",
      "-p",
      "tcp",
      "--dport",
      String(port),
      ...match,
    ];
    const seen = (list: string) => ["-m", "recent", "--name", list, "--rcheck", "--seconds", "20"];
    const note = (list: string) => ["-m", "recent", "--name", list, "--set", "-j", "DROP"];
    const rules = [
      ["-A", "INPUT", "-m", "state", "--state", "ESTABLISHED", "-j", "ACCEPT"],
      stage(7006, ...note("first")),
      stage(8006, ...seen("first"), ...note("second")),
      stage(9006, ...seen("second"), ...note("third")),
      stage(2206, ...seen("third"), "-j", "ACCEPT"),
      stage(2206, "-j", "DROP"),
    ];
    for (const rule of rules) await this.#gate.expect("iptables", rule);
    const knock = async (source: string) => {
      for (const port of ["7006", "8006", "9006"])
        await this.#client.run("nc", ["-z", "-w1", "-s", source, this.#gate.ipv4, port]);
    };
    return { kind: "iptables recent, by nc", port: 2206, steps: ["7006/tcp", "8006/tcp", "9006/tcp"], knock };
  }

  /** As in the nftables wiki's port knocking example. */
  async #sets(): Promise<HuntedDoor> {
    const set = (name: string) => `set ${name} { type ipv4_addr; flags dynamic, timeout; timeout 20s; size 1000; }`;
    const input = `table inet knocking {
      ${["first", "second", "open"].map(set).join("\n")}
      chain input { type filter hook input priority -5;
        tcp dport 7007 add @first { ip saddr } drop
        udp dport 8007 ip saddr @first add @second { ip saddr } drop
        tcp dport 9007 ip saddr @second add @open { ip saddr } drop
        tcp dport 2207 ct state established accept
        tcp dport 2207 ip saddr @open accept
        tcp dport 2207 drop
      }
    }`;
    await this.#gate.expect("nft", ["-f", "-"], { input });
    const steps = ["7007/tcp", "8007/udp", "9007/tcp"];
    const knock = (source: string) => this.#client.knock(this.#gate.ipv4, steps, { sourceAddress: source });
    return { kind: "nftables sets", port: 2207, steps, knock };
  }

  async #routeFrom(source: string): Promise<void> {
    const route = ["route", "replace", this.#gate.ipv4, "dev", this.#client.link, "src", source];
    await this.#client.expect("ip", route);
  }

  #allowed(port: number, source: string): Promise<unknown> {
    const isThere = async () =>
      (await this.#gate.expect("nft", ["list", "set", "inet", "firewall", "allowed4"])).includes(`${port} . ${source}`);
    return eventually(isThere, { what: `the door to ${port} to open for ${source}` });
  }
}
