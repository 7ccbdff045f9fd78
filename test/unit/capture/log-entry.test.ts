import { describe, expect, test } from "vitest";
import { readLogEntry } from "../../../src/capture/log-entry.ts";

const message = "portknockIN=eth0 OUT= SRC=192.0.2.1";
const stamped = { kernelMicros: 17_415_975_104, message };

describe("a line of the kernel", () => {
  test.each([
    { name: "RFC 3164 in a file", line: `Nov  5 17:00:00 host kernel: [17415.975104] ${message}` },
    { name: "RFC 3164 on the wire", line: `<4>Nov 25 17:00:00 host kernel: [17415.975104] ${message}` },
    { name: "rsyslog's default", line: `2026-11-25T17:00:00.123456+01:00 host kernel: [17415.975104] ${message}` },
    { name: "RFC 5424", line: `<4>1 2026-11-25T17:00:00.1Z host kernel - - - [17415.975104] ${message}` },
    {
      name: "RFC 5424 with a mark of its order",
      line: `<4>1 2026-11-25T17:00:00Z host kernel - - - \ufeff[17415.975104] ${message}`,
    },
    { name: "dmesg", line: `[17415.975104] ${message}` },
    { name: "dmesg of a host just started", line: `[    5.000001] ${message}`, kernelMicros: 5_000_001 },
    { name: "dmesg -r", line: `<4>[17415.975104] ${message}` },
    { name: "dmesg -x", line: `kern  :warn  : [17415.975104] ${message}` },
    { name: "/dev/kmsg", line: `4,9480,17415975104,-;${message}` },
    {
      name: "the journal",
      line: JSON.stringify({
        _TRANSPORT: "kernel",
        SYSLOG_FACILITY: "0",
        _SOURCE_MONOTONIC_TIMESTAMP: "17415975104",
        MESSAGE: message,
      }),
    },
  ])("$name", ({ line, kernelMicros }) => {
    expect(readLogEntry(line)).toEqual(kernelMicros === undefined ? stamped : { kernelMicros, message });
  });

  test.each([
    { name: "RFC 3164", line: `Nov 25 17:00:00 host kernel: ${message}` },
    { name: "RFC 5424", line: `<4>1 2026-11-25T17:00:00Z host kernel - - - ${message}` },
    { name: "the journal", line: JSON.stringify({ _TRANSPORT: "kernel", SYSLOG_FACILITY: "0", MESSAGE: message }) },
  ])("may have no stamp of the kernel: $name", ({ line }) => {
    expect(readLogEntry(line)).toEqual({ kernelMicros: undefined, message });
  });
});

describe("a line that another program wrote is not read", () => {
  test.each([
    { name: "its name is the tag", line: `Nov 25 17:00:00 host evil[7]: ${message}` },
    { name: "it says that it is the kernel, with a process id", line: `Nov 25 17:00:00 host kernel[7]: ${message}` },
    { name: "it quotes the kernel", line: `Nov 25 17:00:00 host evil: Nov 25 17:00:00 host kernel: ${message}` },
    { name: "it calls itself kernel, and its facility is user", line: `<12>Nov 25 17:00:00 host kernel: ${message}` },
    { name: "RFC 5424, facility user", line: `<12>1 2026-11-25T17:00:00Z host kernel - - - ${message}` },
    { name: "RFC 5424, another name", line: `<4>1 2026-11-25T17:00:00Z host evil - - - ${message}` },
    { name: "it wrote to /dev/kmsg", line: `12,9480,17415975104,-;${message}` },
    { name: "it wrote to /dev/kmsg, dmesg -x", line: `user  :warn  : [17415.975104] ${message}` },
    { name: "it wrote to /dev/kmsg, dmesg -r", line: `<12>[17415.975104] ${message}` },
    {
      name: "it talks to journald",
      line: JSON.stringify({ _TRANSPORT: "syslog", SYSLOG_FACILITY: "0", MESSAGE: message }),
    },
    {
      name: "it wrote to /dev/kmsg, the journal",
      line: JSON.stringify({ _TRANSPORT: "kernel", SYSLOG_FACILITY: "1", MESSAGE: message }),
    },
    {
      name: "the journal, bytes instead of text",
      line: JSON.stringify({ _TRANSPORT: "kernel", SYSLOG_FACILITY: "0", MESSAGE: [112] }),
    },
    { name: "the journal, cut", line: `{"_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","MESSAGE":"${message}` },
    { name: "nothing but the message", line: message },
    { name: "an empty line", line: "" },
  ])("$name", ({ line }) => {
    expect(readLogEntry(line)).toBeUndefined();
  });
});
