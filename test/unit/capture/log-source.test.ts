import { describe, expect, test } from "vitest";
import { LogSource } from "../../../src/capture/log-source.ts";
import type { Knock } from "../../../src/decode/knock.ts";
import { CaptureRecord } from "../../fake/capture-record.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeLinks } from "../../fake/fake-links.ts";
import { FakeLogFeed } from "../../fake/fake-log-feed.ts";
import { kernelText } from "../../fake/kernel-text.ts";
import { knockText, watchOf } from "../../fixture/capture-watch.ts";

const packet = { source: "192.0.2.1", target: "192.0.2.10", protocol: "tcp", port: 7000 } as const;

/** A source on a log that is written by the test. */
async function started(prefix = "portknock", interfaces: readonly string[] = []) {
  const [feed, report, clock, links] = [
    new FakeLogFeed(),
    new CaptureRecord(),
    new FakeClock(),
    new FakeLinks(["192.0.2.10"]),
  ];
  const source = new LogSource({ feed, prefix, interfaces, clock, report, links });
  const knocks: { text: string; atMicros: number; stampMicros: number }[] = [];
  const receive = (knock: Knock) => {
    knocks.push({ text: knockText(knock), atMicros: knock.atMicros, stampMicros: knock.stampMicros });
  };
  const range = Array.from({ length: 256 }, (_, at) => `${7000 + at}/tcp`);
  await source.start(watchOf(range), receive);
  const texts = () => knocks.map(({ text }) => text);
  return { source, feed, report, clock, links, knocks, texts };
}

const line = (message: string) => `Nov 25 17:00:00 host kernel: ${message}\n`;
const shown = (port: number) => `192.0.2.1:40000 > 192.0.2.10:${port}/tcp`;

describe("the prefix", () => {
  test.each([
    { name: "touches what follows, as in the classic command", prefix: "portknock", message: "portknockIN=", seen: 1 },
    { name: "has a blank", prefix: "portknock", message: "portknock IN=", seen: 1 },
    { name: "was given with a blank, and has none", prefix: "portknock ", message: "portknockIN=", seen: 1 },
    { name: "has blanks within", prefix: "a knock: ", message: "a knock: IN=", seen: 1 },
    { name: "is another rule's", prefix: "portknock", message: "[UFW BLOCK] IN=", seen: 0 },
    { name: "is longer", prefix: "portknock", message: "portknock2 IN=", seen: 0 },
    { name: "is the end of another one", prefix: "portknock", message: "xportknock IN=", seen: 0 },
  ])("$name", async ({ prefix, message, seen }) => {
    const { feed, knocks } = await started(prefix);
    feed.write(line(kernelText(packet).replace("IN=", message)));
    expect(knocks).toHaveLength(seen);
  });
});

test("every port of a range that is logged is seen", async () => {
  const { feed, texts } = await started();
  for (let port = 7000; port <= 7255; port++) feed.write(line(`portknock${kernelText({ ...packet, port })}`));
  expect(texts()).toEqual(Array.from({ length: 256 }, (_, at) => shown(7000 + at)));
});

test("several lines in one read are as far apart as the kernel's stamps, whatever the wall clock does", async () => {
  const { feed, clock, knocks } = await started();
  feed.write(line(`[  100.000000] portknock${kernelText(packet)}`));
  clock.wallOffsetMicros += 3_600_000_000;
  clock.advance(900);
  const [one, two] = [7001, 7002].map((port) => `portknock${kernelText({ ...packet, port })}`);
  feed.write(line(`[  100.200000] ${one}`) + line(`[  100.500000] ${two}`));
  const [first = 0, second = 0, third = 0] = knocks.map(({ atMicros }) => atMicros);
  expect([second - first, third - first]).toEqual([200_000, 500_000]);
});

test("without a stamp of the kernel the time is that of the reading", async () => {
  const { feed, clock, knocks } = await started();
  feed.write(line(`portknock${kernelText(packet)}`));
  expect(knocks[0]).toMatchObject({ atMicros: clock.nowMicros(), stampMicros: clock.wallMicros() });
});

test("old lines that somebody copies into the log open nothing", async () => {
  const { feed, report, knocks } = await started();
  feed.write(line(`[  100.000000] portknock${kernelText({ ...packet, port: 7001 })}`));
  feed.write(line(`[   10.000000] portknock${kernelText(packet)}`));
  expect(knocks).toHaveLength(1);
  expect(report.discards).toEqual({ duplicate: 1 });
});

test("lines of other programs are no packets, and cut ones no knocks", async () => {
  const { feed, report, knocks } = await started();
  feed.write(`Nov 25 17:00:00 host evil: portknock${kernelText(packet)}\n`);
  expect(report.counts).toEqual({});
  feed.write(line(`portknock${kernelText(packet)}`.slice(0, -60)));
  expect(report.discards).toEqual({ truncated: 1 });
  expect(knocks).toEqual([]);
});

test("half a line is forgotten when the log is cut", async () => {
  const { feed, texts } = await started();
  const text = line(`portknock${kernelText(packet)}`);
  feed.write(text.slice(0, 60));
  feed.reader?.broken();
  feed.write(line(`portknock${kernelText({ ...packet, port: 7002 })}`));
  expect(texts()).toEqual([shown(7002)]);
});

test("only packets of the interfaces that were named count", async () => {
  const { feed, report, texts } = await started("portknock", ["eth1"]);
  feed.write(line(`portknock${kernelText(packet)}`));
  feed.write(line(`portknock${kernelText({ ...packet, port: 7001 }, "eth1")}`));
  expect(texts()).toEqual([shown(7001)]);
  expect(report.discards).toEqual({ "not-watched": 1 });
});

test("what is watched and which addresses are local may change", async () => {
  const { source, feed, links, texts } = await started();
  links.use(["192.0.2.11"]);
  feed.write(line(`portknock${kernelText(packet)}`));
  feed.write(line(`portknock${kernelText({ ...packet, target: "192.0.2.11" })}`));
  await source.update(watchOf(["9000/tcp"]));
  feed.write(line(`portknock${kernelText({ ...packet, target: "192.0.2.11", port: 7001 })}`));
  expect(texts()).toEqual(["192.0.2.1:40000 > 192.0.2.11:7000/tcp"]);
});

test("it captures while its log can be read, and says why not", async () => {
  const { feed, report } = await started();
  feed.reader?.state("it is not there");
  expect(report.states.map(({ interfaces }) => interfaces)).toEqual([["log:/fake"], []]);
  expect(report.troubles).toEqual([undefined, "it is not there"]);
});
