import { describe } from "vitest";
import { LogSource } from "../../src/capture/log-source.ts";
import { CaptureRecord } from "../fake/capture-record.ts";
import { FakeClock } from "../fake/fake-clock.ts";
import { FakeLinks } from "../fake/fake-links.ts";
import { FakeLogFeed } from "../fake/fake-log-feed.ts";
import { kernelText } from "../fake/kernel-text.ts";
import { knockText, watchOf } from "../fixture/capture-watch.ts";
import { type PacketSourceBench, packetSourceContract } from "./packet-source.ts";

const bench: PacketSourceBench = {
  client: { ipv4: "192.0.2.1", ipv6: "2001:db8::1" },
  server: { ipv4: "192.0.2.10", ipv6: "2001:db8::10" },
  async see(packets, ports) {
    const feed = new FakeLogFeed();
    const report = new CaptureRecord();
    const links = new FakeLinks([this.server.ipv4, this.server.ipv6]);
    const clock = new FakeClock();
    const source = new LogSource({ feed, prefix: "portknock ", interfaces: [], clock, report, links });
    const knocks: string[] = [];
    await source.start(watchOf(ports), (knock) => knocks.push(knockText(knock)));
    for (const [at, packet] of packets.entries()) {
      const stamp = `${100 + Math.floor(at / 1e6)}.${String(at).padStart(6, "0")}`;
      feed.write(`Nov 25 17:00:00 host kernel: [  ${stamp}] portknock ${kernelText(packet)}\n`);
    }
    await source.close();
    return { knocks, discarded: report.discards };
  },
};

describe("a log", () => packetSourceContract(() => bench));
