import { expect, test } from "vitest";
import type { WirePacket } from "../netns/wire-frame.ts";

/** What a source made of packets that arrived at the address it calls its own. */
export interface Seen {
  /** `192.0.2.1:40000 > 192.0.2.10:7000/tcp`, in order. */
  readonly knocks: readonly string[];
  /** How often each reason was reported. */
  readonly discarded: Readonly<Record<string, number>>;
}

/** One way of getting packets into a source. Watched are TCP with SYN and without ACK, and UDP. */
export interface PacketSourceBench {
  readonly client: { readonly ipv4: string; readonly ipv6: string };
  readonly server: { readonly ipv4: string; readonly ipv6: string };
  /** Starts a source that watches the ports, lets the packets come in, waits until `expected` knocks have come, and closes it. */
  see(packets: readonly WirePacket[], ports: readonly string[], expected: number): Promise<Seen>;
}

/** What every packet source does. */
export function packetSourceContract(bench: () => PacketSourceBench): void {
  const ports = ["7000/tcp", "8000/tcp", "9000/udp"];
  const packet = (parts: Partial<WirePacket> = {}): WirePacket => {
    const { client, server } = bench();
    return { source: client.ipv4, target: server.ipv4, protocol: "tcp", port: 7000, ...parts };
  };
  const six = (): Partial<WirePacket> => ({ source: bench().client.ipv6, target: bench().server.ipv6 });

  test("delivers each packet once and in order, of both families and protocols", async () => {
    const packets = [
      packet(),
      packet({ port: 8000 }),
      packet({ port: 9000, protocol: "udp", ipId: 7 }),
      packet({ ...six() }),
      packet({ ...six(), port: 9000, protocol: "udp" }),
      packet({ sourcePort: 40_001 }),
    ];
    const { knocks } = await bench().see(packets, ports, packets.length);
    expect(knocks).toEqual(packets.map(shown));
  });

  test("delivers neither other ports, nor the same port of the other protocol, nor other flags", async () => {
    const others = [
      packet({ port: 7001 }),
      packet({ port: 6999 }),
      packet({ port: 9000 }),
      packet({ port: 7000, protocol: "udp" }),
      packet({ flags: 0x12 }),
      packet({ flags: 0x10 }),
      packet({ ...six(), flags: 0x04 }),
    ];
    const last = packet({ port: 8000 });
    expect((await bench().see([...others, last], ports, 1)).knocks).toEqual([shown(last)]);
  });

  test("drops and counts what is for somebody else", async () => {
    const foreign = [packet({ target: "198.51.100.9" }), packet({ ...six(), target: "2001:db8:9::9" })];
    const last = packet({ port: 8000 });
    const { knocks, discarded } = await bench().see([...foreign, last], ports, 1);
    expect(knocks).toEqual([shown(last)]);
    expect(discarded["not-local"]).toBe(2);
  });

  test("counts one packet that is seen twice within a moment once", async () => {
    const packets = [packet(), packet(), packet({ sequenceNumber: 2 }), packet({ port: 8000 })];
    const { knocks, discarded } = await bench().see(packets, ports, 3);
    expect(knocks).toEqual([packets[0], packets[2], packets[3]].map((seen) => shown(seen ?? packet())));
    expect(discarded.duplicate).toBe(1);
  });

  test("drops sources that no grant could mean", async () => {
    const nonsense = ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"].map((source) => packet({ source }));
    const last = packet({ port: 8000 });
    const { knocks, discarded } = await bench().see([...nonsense, last], ports, 1);
    expect(knocks).toEqual([shown(last)]);
    expect(discarded.malformed).toBe(4);
  });
}

function shown({ source, target, protocol, port, sourcePort = 40_000 }: WirePacket): string {
  return `${source}:${sourcePort} > ${target}:${port}/${protocol}`;
}
