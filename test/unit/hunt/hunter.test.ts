import { describe, expect, test } from "vitest";
import { findingRecord } from "../../../src/hunt/finding.ts";
import { defaultWindows, Hunter } from "../../../src/hunt/hunter.ts";
import { defaultScore } from "../../../src/hunt/score.ts";
import { type BackgroundKind, background, backgroundKinds } from "../../fake/traffic/background.ts";
import { address, addressIn, Recording } from "../../fake/traffic/recording.ts";

const begin = 1_700_000_000e6;
const second = 1e6;
const minute = 60 * second;
const gate = { address: address("10.20.9.1"), open: [80, 443], gated: [22, 3306] } as const;
const [user, stranger] = [address("203.0.113.7"), address("203.0.113.99")];

function hunted(...recordings: readonly Recording[]) {
  const hunter = new Hunter({ windows: defaultWindows, minimumScore: defaultScore });
  const packets = recordings.flatMap((recording) => recording.packets);
  for (const packet of packets.sort((one, other) => one.atMicros - other.atMicros)) hunter.observe(packet);
  return hunter.findings().map(findingRecord);
}

/** What happens on the gate: seconds after the begin, and what the user does then. */
type Scene = (at: (seconds: number) => { at: number; from: typeof user; to: typeof user }, record: Recording) => void;

function played(scene: Scene): readonly Readonly<Record<string, unknown>>[] {
  const record = new Recording();
  scene((seconds) => ({ at: begin + seconds * second, from: user, to: gate.address }), record);
  return hunted(record);
}

/** A stranger finds the SSH port silent. */
function denied(record: Recording, seconds = 0): void {
  record.silent({ at: begin + seconds * second, from: stranger, to: gate.address, port: 22 });
}

function tcpKnock(record: Recording, at: (seconds: number) => Parameters<Recording["silent"]>[0], from: number): void {
  for (const [index, port] of [7000, 8000, 9000].entries()) record.silent({ ...at(from + index), port });
}

const bare = (at: Parameters<Scene>[0]) => (seconds: number) => ({ ...at(seconds), port: 0 });

describe("a knock is found", () => {
  test("with its source, ports in order, times, what opened, and why", () => {
    const found = played((at, record) => {
      denied(record);
      tcpKnock(record, bare(at), 10);
      record.connection({ ...at(13), port: 22 });
      tcpKnock(record, bare(at), 700);
      record.connection({ ...at(703), port: 22 });
    });
    expect(found).toEqual([
      {
        kind: "sequence",
        source: "203.0.113.7",
        target: "10.20.9.1",
        steps: ["7000/tcp", "8000/tcp", "9000/tcp"],
        opened: ["22/tcp"],
        first: "2023-11-14T22:13:30.000Z",
        last: "2023-11-14T22:25:00.000Z",
        times: 2,
        score: 100,
        reasons: [
          "3 packets in order to closed or silent ports, then 22/tcp let the source in",
          "the same 2 times",
          "each step was one packet that was never repeated",
          "22/tcp is closed or silent to another address",
        ],
      },
    ]);
  });

  test.each<{ name: string; steps: readonly string[]; scene: Scene }>([
    {
      name: "when the ports refuse instead of being silent",
      steps: ["7000/tcp", "8000/tcp", "9000/tcp"],
      scene: (at, record) => {
        denied(record);
        for (const [index, port] of [7000, 8000, 9000].entries()) record.refused({ ...at(10 + index), port });
        record.connection({ ...at(14), port: 22 });
      },
    },
    {
      name: "in datagrams",
      steps: ["7000/udp", "8000/udp", "9000/udp"],
      scene: (at, record) => {
        denied(record);
        for (const port of [7000, 8000, 9000]) record.datagram({ ...at(10), port }, false, 1);
        record.connection({ ...at(11), port: 22 });
      },
    },
    {
      name: "of mixed protocols, with one port twice",
      steps: ["7000/udp", "8000/tcp", "7000/udp"],
      scene: (at, record) => {
        denied(record);
        record.datagram({ ...at(10), port: 7000 }, false, 1);
        record.silent({ ...at(11), port: 8000 });
        record.datagram({ ...at(12), port: 7000 }, false, 1);
        record.connection({ ...at(14), port: 22 });
      },
    },
    {
      name: "in TCP packets with odd flags, on ports that are open too",
      steps: ["80/tcp-odd", "443/tcp-odd", "7000/tcp-odd"],
      scene: (at, record) => {
        denied(record);
        record.connection({ at: begin, from: stranger, to: gate.address, port: 80 });
        for (const [index, port] of [80, 443, 7000].entries()) record.odd({ ...at(10 + index), port }, 0x29);
        record.connection({ ...at(14), port: 22 });
      },
    },
    {
      name: "in pings of odd sizes, although they are answered",
      steps: ["8:508/icmp", "8:108/icmp", "8:208/icmp"],
      scene: (at, record) => {
        denied(record);
        for (const [index, bytes] of [508, 108, 208].entries()) record.echo(at(10 + index), bytes);
        record.connection({ ...at(14), port: 22 });
      },
    },
    {
      name: "when the client tries the port first, and its retransmission is what gets in",
      steps: ["7000/tcp", "8000/tcp"],
      scene: (at, record) => {
        denied(record);
        record.silent({ ...at(10), port: 22, sourcePort: 5000 });
        for (const [index, port] of [7000, 8000].entries()) record.silent({ ...at(10.2 + index / 5), port });
        record.connection({ ...at(11), port: 22, sourcePort: 5000 });
      },
    },
    {
      name: "when every step is sent again once by the client's system",
      steps: ["7000/tcp", "8000/tcp", "9000/tcp"],
      scene: (at, record) => {
        denied(record);
        for (const [index, port] of [7000, 8000, 9000].entries()) record.silent({ ...at(10 + index * 8), port }, 1);
        record.connection({ ...at(36), port: 22 });
      },
    },
    {
      name: "without anybody being kept out, when it is repeated at odd times",
      steps: ["7000/tcp", "8000/tcp", "9000/tcp"],
      scene: (at, record) => {
        for (const from of [10, 400, 3000]) {
          tcpKnock(record, bare(at), from);
          record.connection({ ...at(from + 5), port: 22 });
        }
      },
    },
  ])("$name", ({ steps, scene }) => {
    expect(played(scene)).toMatchObject([{ source: "203.0.113.7", steps, opened: ["22/tcp"] }]);
  });

  test("of a single packet, when the port was closed to the same source and to others before", () => {
    const found = played((at, record) => {
      denied(record);
      record.silent({ ...at(5), port: 22 });
      record.datagram({ ...at(10), port: 62_201 }, false, 225);
      record.connection({ ...at(11), port: 22 });
    });
    expect(found).toMatchObject([{ kind: "single", steps: ["62201/udp"], opened: ["22/tcp"] }]);
  });

  test("that calls a host back which hardly ever connects out", () => {
    const found = played((at, record) => {
      record.datagram({ ...at(10), port: 53 }, false, 30);
      record.connection({ at: begin + 12 * second, from: gate.address, to: user, port: 4444 });
    });
    expect(found).toMatchObject([{ kind: "callback", source: "203.0.113.7", steps: ["53/udp"], opened: ["4444/tcp"] }]);
  });

  test("from a capture of one direction only", () => {
    const record = new Recording();
    denied(record);
    const at = (seconds: number) => ({ at: begin + seconds * second, from: user, to: gate.address, port: 22 });
    tcpKnock(record, at, 10);
    record.connection(at(14));
    const hunter = new Hunter({ windows: defaultWindows, minimumScore: defaultScore });
    for (const packet of record.packets) if (packet.target[3] === gate.address[3]) hunter.observe(packet);
    expect(hunter.findings()).toMatchObject([{ opened: ["22/tcp"] }]);
  });
});

describe("it is no finding", () => {
  test.each<{ name: string; scene: Scene }>([
    {
      name: "that everybody else gets in without probes",
      scene: (at, record) => {
        tcpKnock(record, bare(at), 10);
        record.connection({ ...at(14), port: 22 });
        for (const number of [1, 2]) record.connection({ ...at(100), from: addressIn("192.0.2.1", number), port: 22 });
      },
    },
    {
      name: "that a probed port turns out to be a service that was down",
      scene: (at, record) => {
        denied(record);
        tcpKnock(record, bare(at), 10);
        record.connection({ ...at(14), port: 22 });
        for (const port of [7000, 8000, 9000]) record.connection({ ...at(500), from: stranger, port });
      },
    },
    {
      name: "that as many are not answered as get in, where many get in: a busy service loses packets",
      scene: (at, record) => {
        for (let number = 0; number < 60; number++) {
          const from = addressIn("192.0.2.1", number);
          record.datagram({ at: begin + number * second, from, to: gate.address, port: 443 }, number % 2 === 0);
        }
        tcpKnock(record, bare(at), 100);
        record.datagram({ ...at(104), port: 443 }, true);
      },
    },
    {
      name: "that the connection comes too late",
      scene: (at, record) => {
        denied(record);
        tcpKnock(record, bare(at), 10);
        record.connection({ ...at(80), port: 22 });
      },
    },
    {
      name: "that a scan of many ports meets an open one",
      scene: (at, record) => {
        denied(record);
        for (let port = 1000; port < 1060; port++) record.silent({ ...at(10), port });
        record.connection({ ...at(12), port: 22 });
      },
    },
  ])("$name", ({ scene }) => {
    expect(played(scene)).toEqual([]);
  });
});

describe("background", () => {
  const options = { seed: 7, flows: 20_000, from: begin, lastsMicros: 60 * minute, gates: [gate] };
  const kinds = Object.keys(backgroundKinds) as BackgroundKind[];

  test.each(kinds)("of %s alone is no knock", (kind) => {
    expect(hunted(background(kind, options))).toEqual([]);
  });

  test("of every kind together is none", () => {
    expect(hunted(...kinds.map((kind) => background(kind, options)))).toEqual([]);
  });
});
