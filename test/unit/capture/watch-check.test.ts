import { describe, expect, test } from "vitest";
import { AddressSet } from "../../../src/capture/address-set.ts";
import { WatchCheck } from "../../../src/capture/watch-check.ts";
import { KnockBuffer } from "../../../src/decode/knock-buffer.ts";
import { type Address, parseAddress } from "../../../src/policy/address.ts";
import { watchOf } from "../../fixture/capture-watch.ts";

const address = (text: string): Address => parseAddress(text) ?? new Uint32Array(4);

/** A SYN on 7000/tcp of 192.0.2.10, or what is changed of it. */
function knock(
  parts: { source?: string; target?: string; protocol?: number; port?: number; flags?: number } = {},
): KnockBuffer {
  const buffer = new KnockBuffer();
  buffer.source.set(address(parts.source ?? "198.51.100.1"));
  buffer.target.set(address(parts.target ?? "192.0.2.10"));
  buffer.protocol = parts.protocol ?? 6;
  buffer.port = parts.port ?? 7000;
  buffer.flags = parts.flags ?? 2;
  return buffer;
}

const local = ["192.0.2.10", "2001:db8::10"].map(address);

test.each([
  { name: "a watched port of a local address", parts: {}, expected: undefined },
  { name: "IPv6", parts: { source: "2001:db8::1", target: "2001:db8::10" }, expected: undefined },
  { name: "an address of --guard-address", parts: { target: "203.0.113.77" }, expected: undefined },
  { name: "more flags than asked for", parts: { flags: 0x42 & 0x3f }, expected: undefined },
  { name: "UDP on a TCP port", parts: { protocol: 17, flags: 0 }, expected: "not-watched" },
  { name: "UDP has no flags to miss", parts: { protocol: 17, port: 9000, flags: 0 }, expected: undefined },
  { name: "a neighbour", parts: { port: 7001 }, expected: "not-watched" },
  { name: "a flag missing", parts: { flags: 0 }, expected: "not-watched" },
  { name: "a flag too many", parts: { flags: 0x12 }, expected: "not-watched" },
  { name: "somebody else's address", parts: { target: "192.0.2.11" }, expected: "not-local" },
  { name: "our own address as the source", parts: { source: "192.0.2.10" }, expected: "outgoing" },
])("$name: $expected", ({ parts, expected }) => {
  const check = new WatchCheck(watchOf(["7000/tcp", "9000/udp"], ["203.0.113.0/24"]), local);
  expect(check.verdict(knock(parts))).toBe(expected);
});

test("every destination counts when everything does", () => {
  const check = new WatchCheck(watchOf(["7000/tcp"], "everything"), []);
  expect(check.verdict(knock({ target: "203.0.113.9" }))).toBeUndefined();
});

describe("a set of addresses", () => {
  test("has exactly what was put in, however many", () => {
    const made = Array.from({ length: 5000 }, (_, at) => Uint32Array.of(0, 0, 0xffff, 0x0a000000 + at * 3));
    const set = new AddressSet(made);
    expect(made.every((one) => set.has(one))).toBe(true);
    expect(made.some((one) => set.has(one.map((word, at) => (at === 3 ? word + 1 : word))))).toBe(false);
    expect(new AddressSet([]).has(address("0.0.0.0"))).toBe(false);
  });
});
