import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type FilterLink, filterText } from "../../src/capture/bpf-filter.ts";
import type { Watch } from "../../src/capture/packet-source.ts";
import { ethernet, type PacketParts, packet } from "../fixture/capture-frames.ts";
import { watchOf } from "../fixture/capture-watch.ts";
import { runToEnd } from "./running-process.ts";
import { savefile } from "./wire-frame.ts";

const folder = mkdtempSync(join(tmpdir(), "kg-filter-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How many instructions libpcap makes of it. */
async function instructions(watch: Watch, link: FilterLink, dataLink: string): Promise<number> {
  const file = join(folder, "filter");
  writeFileSync(file, filterText(watch, link));
  const { stdout, stderr, code } = await runToEnd("tcpdump", ["-y", dataLink, "-ddd", "-F", file], {
    timeoutMs: 20_000,
  });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return Number(stdout.split("\n")[0]);
}

/** Which of the frames pass, by their order. */
async function passing(watch: Watch, frames: readonly Uint8Array[]): Promise<number[]> {
  const [filter, captured] = [join(folder, "filter"), join(folder, "frames.pcap")];
  writeFileSync(filter, filterText(watch, "ethernet"));
  writeFileSync(captured, savefile(frames));
  const { stdout } = await runToEnd("tcpdump", ["-r", captured, "-tt", "-n", "-F", filter]);
  return [...stdout.matchAll(/^17\d+\.(\d{6}) /gm)].map((match) => Number(match[1]));
}

const ports = (count: number) =>
  Array.from({ length: count }, (_, at) => `${1 + ((at * 7919) % 65_535)}/${at % 2 === 0 ? "tcp" : "udp"}`);

describe("libpcap takes the filter", () => {
  test.each([0, 1, 70, 300, 5000, 60_000])("of %i ports, on every kind of link, in few instructions", async (count) => {
    const watch = watchOf(ports(count));
    expect(await instructions(watch, "ethernet", "EN10MB")).toBeLessThan(700);
    expect(await instructions(watch, "cooked", "LINUX_SLL")).toBeLessThan(700);
    expect(await instructions(watch, "other", "RAW")).toBeLessThan(700);
  });
});

describe("the filter", () => {
  const six: PacketParts = { source: "2001:db8::1" };
  const options = [{ kind: 60, bytes: [0, 0, 1, 4, 0, 0, 0, 0] }];
  const cases: { name: string; parts: PacketParts; passes: boolean }[] = [
    { name: "a step", parts: {}, passes: true },
    { name: "a step over IPv6", parts: six, passes: true },
    { name: "a UDP step", parts: { protocol: "udp", port: 9000 }, passes: true },
    { name: "a UDP step over IPv6", parts: { ...six, protocol: "udp", port: 9000 }, passes: true },
    { name: "IPv4 options", parts: { options: [1, 1, 1, 0] }, passes: true },
    { name: "a first fragment", parts: { fragment: 0x2000 }, passes: true },
    { name: "IPv6 extension headers", parts: { ...six, extensions: options }, passes: true },
    { name: "a neighbour", parts: { port: 7001 }, passes: false },
    { name: "a neighbour over IPv6", parts: { ...six, port: 6999 }, passes: false },
    { name: "the other protocol", parts: { port: 9000 }, passes: false },
    { name: "SYN and ACK", parts: { flags: 0x12 }, passes: false },
    { name: "ACK over IPv6", parts: { ...six, flags: 0x10 }, passes: false },
    { name: "a later fragment", parts: { fragment: 3 }, passes: false },
    { name: "ICMP", parts: { protocol: 1 }, passes: false },
  ];
  const expected = cases.flatMap(({ passes }, at) => (passes ? [at] : []));

  test.each([{ tags: [] }, { tags: [0x8100] }, { tags: [0x88a8, 0x8100] }])(
    "below tags $tags lets through exactly what is watched",
    async ({ tags }) => {
      const frames = cases.map(({ parts }) => ethernet(packet(parts), tags));
      expect(await passing(watchOf(["7000/tcp", "9000/udp"]), frames)).toEqual(expected);
    },
  );

  test("widened by many ports it still lets every watched one through", async () => {
    const watched = ports(400);
    const frames = watched.map((text) => {
      const [port, protocol] = text.split("/");
      return ethernet(packet({ port: Number(port), protocol: protocol === "udp" ? "udp" : "tcp" }));
    });
    expect(await passing(watchOf(watched), frames)).toHaveLength(watched.length);
  });
});
