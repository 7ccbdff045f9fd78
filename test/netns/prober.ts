import type { Host } from "./host.ts";
import { PacketSender } from "./packet-sender.ts";
import { Sniffer } from "./sniffer.ts";
import type { WirePacket } from "./wire-frame.ts";
import type { World } from "./world.ts";

/** A packet to send from here to there; who and where is added. */
export type Probe = Omit<WirePacket, "source" | "target" | "sourcePort">;

/** A UDP service that answers everybody: when its answer is here, all answers to earlier packets are. */
export const controlPort = 2199;

const firstSourcePort = 40_000;

/** Everything that can come back from a host, without what IPv6 needs to find neighbours. */
export const anyAnswer = "(tcp or udp or icmp or (icmp6 and (ip6[40] < 128 or ip6[40] = 129)))";

/** Sends made packets, and tells what came back to each: header, flags and code in tcpdump's words. */
export class Prober {
  private readonly from: Host;
  private readonly to: Host;
  private readonly sender: PacketSender;

  constructor(world: World, from: Host, to: Host) {
    this.from = from;
    this.to = to;
    this.sender = new PacketSender(world, from, to);
  }

  /**
   * The answer to each probe, "silent" where there was none. Ports, time stamps, checksums, and numbers that differ from one
   * packet to the next are left out, so that answers can be compared.
   */
  async answers(family: "ipv4" | "ipv6", probes: readonly Probe[]): Promise<readonly string[]> {
    const [source, target] = [this.from[family], this.to[family]];
    const packets = probes.map((probe, at) => ({ ...probe, source, target, sourcePort: firstSourcePort + at }));
    const heard = await this.listen(`src host ${target}`, () => this.send(packets));
    return probes.map(({ protocol, port }, at) => {
      // What ICMPv6 sends back is told by its target alone.
      const theirs = new RegExp(`${source}\\.${firstSourcePort + at}\\b|ICMP6.*${protocol} port ${port}\\b`);
      const found = heard
        .filter((line) => theirs.test(line))
        .map((line) => comparable(line, [source, target], [firstSourcePort + at, port]));
      return found.length === 0 ? "silent" : found.join("; ");
    });
  }

  /** Puts packets on the wire as they are. */
  async send(packets: readonly WirePacket[]): Promise<void> {
    await this.sender.send(packets);
  }

  /** Everything that comes back from the host while `act` sends, but for the answer of the service asked at the end. */
  async listen(filter: string, act: () => Promise<void>): Promise<readonly string[]> {
    const sniffer = await Sniffer.start(this.from, `${filter} and ${anyAnswer} and not port ${controlPort}`, {
      direction: "in",
      verbose: true,
    });
    await act();
    const control = await this.from.udp(this.to.ipv4, controlPort);
    if (control !== "echo hello") throw new Error(`the service that answers everybody was ${control}`);
    return sniffer.stop();
  }
}

function comparable(line: string, [source, target]: readonly string[], [sourcePort, port]: readonly number[]): string {
  return line
    .replace(/^\d+\.\d+ /, "")
    .replaceAll(`${source}.${sourcePort}`, "SOURCE")
    .replaceAll(`${target}.${port}:`, "TARGET:")
    .replaceAll(`${target}.${port} `, "TARGET ")
    .replace(new RegExp(`(tcp|udp) port ${port}\\b`), "port PORT")
    .replace(/(ICMP .* TARGET:).*/, "$1") // tcpdump guesses from the port what the datagram was
    .replaceAll(/, id \d+|, cksum \S+ \([^)]*\)/g, "")
    .replaceAll(/flowlabel 0x[0-9a-f]+/g, "flowlabel ANY")
    .replaceAll(/, seq \d{3,}/g, ", seq ANY");
}
