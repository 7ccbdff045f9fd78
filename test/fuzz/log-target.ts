import { LogSource } from "../../src/capture/log-source.ts";
import { dropReasons } from "../../src/decode/knock.ts";
import { parseCidr } from "../../src/policy/address.ts";
import { CaptureRecord } from "../fake/capture-record.ts";
import { FakeClock } from "../fake/fake-clock.ts";
import { FakeLinks } from "../fake/fake-links.ts";
import { FakeLogFeed } from "../fake/fake-log-feed.ts";
import { kernelText } from "../fake/kernel-text.ts";
import { type FuzzTarget, promised } from "./fuzz-target.ts";
import { mutatedText, strangeText } from "./mutation.ts";
import type { Random } from "./random.ts";

const six = { source: "2001:db8::1", target: "2001:db8::a", protocol: "udp", port: 9000 } as const;
const four = { source: "192.0.2.1", target: "192.0.2.10", protocol: "tcp", port: 7000 } as const;
const message = `portknock${kernelText(four)}`;
const lines = [
  `Nov 25 17:00:00 host kernel: [  100.000000] ${message}\n`,
  `<4>1 2026-11-25T17:00:00.123456+00:00 host kernel - - - [17415.975104] portknock ${kernelText(six)}\n`,
  `{"_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","_SOURCE_MONOTONIC_TIMESTAMP":"17415975104","MESSAGE":"${message}"}\n`,
  `4,9480,17415975104,-;${message}\nkern  :warn  : [17415.975104] ${message}\n`,
  `<12>Nov 25 17:00:00 host kernel: ${message}\nNov 25 17:00:00 host evil[7]: ${message}\n`,
] as const;
const words = [
  ..."IN=|OUT=|SRC=|DST=|PROTO=|PROTO=TCP |PROTO=UDP |SPT=|DPT=|SEQ=4294967296 |URGP=|LEN=|[|]|FRAG:1 |MAC=|portknock|kernel:|<0>|<999>|::ffff:1.2.3.4|0|65536|-1|1e3|\n|\r\n|\t| ".split(
    "|",
  ),
  "x".repeat(9000),
] as const;
const everything = ["0.0.0.0/0", "::/0"].flatMap((text) => parseCidr(text) ?? []);

/** A log to which the kernel and everybody else write, in pieces as reads bring them. */
export const logTarget: FuzzTarget = {
  name: "log",
  make: (random) => new TextEncoder().encode(text(random)),
  run: async (input) => {
    const [feed, report, clock] = [new FakeLogFeed(), new CaptureRecord(), new FakeClock()];
    const links = new FakeLinks(["192.0.2.10", "2001:db8::a"]);
    const source = new LogSource({ feed, prefix: "portknock", interfaces: [], clock, report, links });
    const ports = new Set([7000, 9000 | 0x10000]);
    await source.start({ ports, flags: { must: 0, mustNot: 0 }, extraTargets: everything }, (knock) => {
      promised(knock.port >= 0 && knock.port <= 0xffff, "a port has sixteen bits");
      promised(knock.sourcePort >= 0 && knock.sourcePort <= 0xffff, "a source port has sixteen bits");
      promised(knock.sequenceNumber === knock.sequenceNumber >>> 0, "a sequence number has 32 bits");
      promised(knock.protocol === 6 || knock.protocol === 17, "a knock is TCP or UDP");
      promised(knock.flags === (knock.flags & 0x3f), "there are six flags");
      promised(knock.atMicros <= clock.nowMicros(), "no knock comes from the future");
      promised(Number.isFinite(knock.stampMicros), "a stamp is a number");
    });
    const size = 1 + ((input[0] ?? 0) % 97);
    for (let at = 0; at < input.length; at += size) feed.reader?.bytes(input.subarray(at, at + size));
    await source.close();
    const known: readonly string[] = dropReasons;
    promised(
      Object.keys(report.discards).every((reason) => known.includes(reason)),
      "a reason is one of the list",
    );
  },
};

function text(random: Random): string {
  const count = 1 + random.below(4);
  return Array.from({ length: count }, () => {
    if (random.oneIn(16)) return `${strangeText(random)}\n`;
    const line = random.pick(lines);
    return random.oneIn(4) ? line : mutatedText(line, words, random);
  }).join("");
}
