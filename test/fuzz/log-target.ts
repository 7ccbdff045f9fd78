import { LogClock } from "../../src/capture/log-clock.ts";
import { readLogEntry } from "../../src/capture/log-entry.ts";
import { LogLines } from "../../src/capture/log-lines.ts";
import { readLogPacket } from "../../src/capture/log-packet.ts";
import { dropReasons } from "../../src/decode/knock.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";
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

/** A log to which the kernel and everybody else write, in pieces as reads bring them. */
export const logTarget: FuzzTarget = {
  name: "log",
  make: (random) => new TextEncoder().encode(text(random)),
  run: (input) => {
    const [reader, times] = [new LogLines(), new LogClock()];
    let nowMicros = 5e9;
    const size = 1 + ((input[0] ?? 0) % 97);
    for (let at = 0; at < input.length; at += size)
      reader.read(input.subarray(at, at + size), (line) => {
        promised(Buffer.byteLength(line) <= 3 * 8192, "a line is bounded");
        const entry = readLogEntry(line);
        if (entry === undefined) return;
        checkPacket(entry.message);
        const atMicros = times.monotonic(entry.kernelMicros ?? 0, nowMicros++);
        promised(atMicros === undefined || atMicros < nowMicros, "no knock comes from the future");
      });
  },
};

function checkPacket(message: string): void {
  const knock = new KnockBuffer();
  const packet = readLogPacket(message.replace(/^portknock */, ""), knock);
  if ("dropped" in packet) {
    const known: readonly string[] = dropReasons;
    promised(known.includes(packet.dropped), "a reason is one of the list");
    return;
  }
  const { port, sourcePort, sequenceNumber, ipId, protocol, flags } = knock;
  promised(packet.in !== "", "a packet came in somewhere");
  promised(
    [port, sourcePort, ipId].every((number) => number >= 0 && number <= 0xffff),
    "ports and ids have sixteen bits",
  );
  promised(sequenceNumber === sequenceNumber >>> 0, "a sequence number has 32 bits");
  promised(protocol === 6 || protocol === 17, "a knock is TCP or UDP");
  promised(flags === (flags & 0x3f), "there are six flags");
}

function text(random: Random): string {
  const count = 1 + random.below(4);
  return Array.from({ length: count }, () => {
    if (random.oneIn(16)) return `${strangeText(random)}\n`;
    const line = random.pick(lines);
    return random.oneIn(4) ? line : mutatedText(line, words, random);
  }).join("");
}
