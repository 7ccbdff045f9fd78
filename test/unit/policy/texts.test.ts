import { describe, expect, test } from "vitest";
import {
  type Cidr,
  contains,
  copyAddress,
  familyOf,
  formatAddress,
  formatCidr,
  overlap,
  parseAddress,
  parseCidr,
  sameAddress,
} from "../../../src/policy/address.ts";
import { formatDuration, parseDuration } from "../../../src/policy/duration.ts";
import { parseFlagRule } from "../../../src/policy/flag-rule.ts";
import { nearestName } from "../../../src/policy/nearest-name.ts";
import { expandRange, formatPort, parsePort, parsePortRange, portKey, portOfKey } from "../../../src/policy/port.ts";

const address = (text: string) => parseAddress(text) ?? expect.fail(`${text} is no address`);
const cidr = (text: string): Cidr => parseCidr(text) ?? expect.fail(`${text} is no range`);

describe("addresses", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["2001:DB8::0:1", "2001:db8::1"],
    ["::1.2.3.4", "::102:304"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
    ["::", "::"],
    ["0001::", "1::"],
  ])("%s is %s", (text, canonical) => {
    expect(formatAddress(address(text))).toBe(canonical);
  });

  test.each([
    "",
    "10.1",
    "010.0.0.1",
    "1.2.3.4.5",
    "256.0.0.1",
    "0x7f.0.0.1",
    "1.2.3",
    " 1.2.3.4",
    "1.2.3.4 ",
    "fe80::1%eth0",
    "::g",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::ffff:010.0.0.1",
    "::0x1.2.3.4",
    "::ffff:1.2.3",
    "00001::",
    ":",
    ":::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "[::1]",
    "a".repeat(100000),
  ])("%s is none", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("a copy is equal and apart", () => {
    const one = address("192.0.2.1");
    const copy = copyAddress(one);
    copy[3] = 0;
    expect(sameAddress(one, address("192.0.2.1"))).toBe(true);
    expect(sameAddress(one, copy)).toBe(false);
    expect([familyOf(one), familyOf(address("::1"))]).toEqual(["ipv4", "ipv6"]);
  });
});

describe("ranges", () => {
  test.each([
    ["192.0.2.0/24", "192.0.2.0/24"],
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1/32", "192.0.2.1"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["2001:db8::/32", "2001:db8::/32"],
    ["::ffff:192.0.2.0/120", "192.0.2.0/24"],
  ])("%s is %s", (text, canonical) => {
    expect(formatCidr(cidr(text))).toBe(canonical);
  });

  test.each([
    "192.0.2.1/24",
    "192.0.2.0/33",
    "::1/64",
    "::/129",
    "192.0.2.0/",
    "192.0.2.0/024",
    "192.0.2.0/24/8",
    "/8",
    "192.0.2.0/-1",
  ])("%s is none", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  test.each([
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "192.0.2.1", false],
    ["::/0", "2001:db8::1", true],
    ["2001:db8:0:1::/64", "2001:db8:0:1:ffff::", true],
    ["2001:db8:0:1::/64", "2001:db8:0:2::", false],
    ["::ffff:0:0/96", "10.0.0.1", true],
  ])("%s and %s: %s", (range, inside, expected) => {
    expect(contains(cidr(range), address(inside))).toBe(expected);
  });

  test.each([
    ["10.0.0.0/8", "10.1.0.0/16", true],
    ["10.0.0.0/8", "11.0.0.0/8", false],
    ["0.0.0.0/0", "::/0", false],
    ["::/0", "::ffff:0:0/96", false],
    ["2001:db8::/32", "2001:db8:1::1", true],
  ])("%s overlaps %s: %s", (one, other, expected) => {
    expect(overlap(cidr(one), cidr(other))).toBe(expected);
    expect(overlap(cidr(other), cidr(one))).toBe(expected);
  });
});

describe("ports", () => {
  test.each([
    ["22", "22/tcp"],
    ["22/tcp", "22/tcp"],
    ["65535/udp", "65535/udp"],
  ])("%s is %s", (text, canonical) => {
    const port = parsePort(text) ?? expect.fail();
    expect(formatPort(port)).toBe(canonical);
    expect(portOfKey(portKey(port))).toEqual(port);
  });

  test.each(["", "0", "65536", "022", "22/sctp", "22/TCP", "7000-7001", "7000-7000", "-1", "22/", "1e3", " 22"])(
    "%s is no single port",
    (text) => {
      expect(parsePort(text)).toBeUndefined();
    },
  );

  test("a range is expanded, both ends included", () => {
    expect(expandRange(parsePortRange("6000-6002/udp") ?? expect.fail()).map(formatPort)).toEqual([
      "6000/udp",
      "6001/udp",
      "6002/udp",
    ]);
    expect(parsePortRange("6002-6000")).toBeUndefined();
    expect(parsePortRange("6000-65536")).toBeUndefined();
    expect(parsePortRange("0-5")).toBeUndefined();
  });
});

describe("durations", () => {
  test.each([
    ["250ms", 250e3, "250ms"],
    ["10s", 10e6, "10s"],
    ["60s", 60e6, "1m"],
    ["5m", 300e6, "5m"],
    ["90m", 5400e6, "90m"],
    ["1h", 3600e6, "1h"],
    ["0s", 0, "0s"],
    ["0ms", 0, "0s"],
  ])("%s is %d microseconds, written %s", (text, micros, canonical) => {
    expect(parseDuration(text)).toBe(micros);
    expect(formatDuration(micros)).toBe(canonical);
  });

  test.each(["", "10", "1.5s", "-1s", "1d", "01s", "1s ", "s", "1 s", "1h30m", "999999999h", "9999999999s"])(
    "%s is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test("a fraction of a millisecond is rounded up", () => {
    expect(formatDuration(1)).toBe("1ms");
  });
});

test("flags are two masks, and what is none is left out", () => {
  expect(parseFlagRule(["syn", "!ack", "!rst", "what"])).toEqual({ must: 0x02, mustNot: 0x14 });
});

test.each([
  ["wihtin", "within"],
  ["WITHIN", "within"],
  ["step", "steps"],
  ["x", undefined],
  ["entirely-different", undefined],
  ["within".repeat(20), undefined],
])("who writes %s means %s", (name, meant) => {
  expect(nearestName(name, ["steps", "stepsFrom", "within", "target"])).toBe(meant);
});
