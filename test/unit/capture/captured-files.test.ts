import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SavefileSource } from "../../../src/capture/savefile-source.ts";
import { CaptureRecord } from "../../fake/capture-record.ts";
import { knockText, watchOf } from "../../fixture/capture-watch.ts";

/** Captured by tcpdump 4.99 on Linux 6.18, at the server's end of a veth pair. */
const fixture = (name: string) => fileURLToPath(new URL(`../../fixture/capture-${name}.pcap`, import.meta.url));

async function replay(name: string, ports: readonly string[]) {
  const record = new CaptureRecord();
  const source = new SavefileSource(fixture(name), record);
  const knocks: string[] = [];
  await source.start(watchOf(ports, ["192.0.2.10", "2001:db8::10"]), (knock) => {
    knocks.push(knockText(knock));
  });
  await source.finished;
  return { knocks, discards: record.discards };
}

/** knockd's client: one hit on each of three ports over IPv4, then over IPv6. */
const knocked = [
  "192.0.2.1:56862 > 192.0.2.10:7000/tcp",
  "192.0.2.1:53566 > 192.0.2.10:8000/udp",
  "192.0.2.1:55012 > 192.0.2.10:9000/tcp",
  "2001:db8::1:40644 > 2001:db8::10:7000/tcp",
  "2001:db8::1:59490 > 2001:db8::10:8000/udp",
  "2001:db8::1:51598 > 2001:db8::10:9000/tcp",
];

test.each([
  { name: "knock-ethernet", discards: { "not-watched": 4 } },
  { name: "knock-cooked", discards: { outgoing: 4 } },
])("$name: the steps of knockd's client, without the server's answers", async ({ name, discards }) => {
  expect(await replay(name, ["7000/tcp", "8000/udp", "9000/tcp"])).toEqual({ knocks: knocked, discards });
});

test.each(["tags-ethernet", "tags-cooked"])(
  "%s: no tag, one, two and three tags; the same knock within 2 ms counts once",
  async (name) => {
    expect(await replay(name, ["7000/tcp"])).toEqual({
      knocks: ["192.0.2.1:40000 > 192.0.2.10:7000/tcp"],
      discards: { duplicate: 3 },
    });
  },
);
