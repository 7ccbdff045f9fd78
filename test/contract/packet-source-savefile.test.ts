import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { SavefileSource } from "../../src/capture/savefile-source.ts";
import { CaptureRecord } from "../fake/capture-record.ts";
import { knockText, watchOf } from "../fixture/capture-watch.ts";
import { savefile, wireFrame } from "../netns/wire-frame.ts";
import { type PacketSourceBench, packetSourceContract } from "./packet-source.ts";

const folder = mkdtempSync(join(tmpdir(), "kg-savefile-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ends = { from: "02:00:00:00:00:01", to: "02:00:00:00:00:02" };

const bench: PacketSourceBench = {
  client: { ipv4: "192.0.2.1", ipv6: "2001:db8::1" },
  server: { ipv4: "192.0.2.10", ipv6: "2001:db8::10" },
  async see(packets, ports) {
    const file = join(folder, "packets.pcap");
    writeFileSync(file, savefile(packets.map((packet) => wireFrame(packet, ends))));
    const record = new CaptureRecord();
    const source = new SavefileSource(file, record);
    const knocks: string[] = [];
    await source.start(watchOf(ports, [this.server.ipv4, this.server.ipv6]), (knock) => knocks.push(knockText(knock)));
    await source.finished;
    await source.close();
    return { knocks, discarded: record.discards };
  },
};

describe("a savefile", () => packetSourceContract(() => bench));
