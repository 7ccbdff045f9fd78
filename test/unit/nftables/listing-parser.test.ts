import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseListing, parseTimeout } from "../../../src/nftables/listing-parser.ts";
import { renderKey } from "../../../src/nftables/render.ts";

const listed = readFileSync(new URL("../../fixture/ruleset-listing.txt", import.meta.url), "utf8");
const set = (body: string) =>
  parseListing(`table inet knockgate { # handle 1\n\tset s { # handle 2\n${body}\n\t}\n}\n`)?.sets.get("s");

describe("what nft printed", () => {
  const listing = parseListing(listed);

  test("has its handles, shapes and counters", () => {
    expect(listing?.handle).toBe(7);
    expect(listing?.dormant).toBe(false);
    expect(listing?.sets.get("granted4")?.set).toMatchObject({ timeout: true, size: 100 });
    expect(listing?.counters.get("guarded_dropped")).toEqual({ packets: 3, bytes: 180 });
    expect(listing?.chains.get("gate")?.rules[0]).toBe('iif "lo" return');
  });

  test("has elements with their times and comments", () => {
    const elements = listing?.sets.get("granted4")?.elements ?? [];
    expect(
      elements.map(({ key, timeoutMs, expiresMs, comment }) => [renderKey(key), timeoutMs, expiresMs, comment]),
    ).toEqual([
      ["192.0.2.1 . tcp . 22", 70_000, 69_972, "0123abcd,89abcdef"],
      ["192.0.2.2 . udp . 53", undefined, undefined, undefined],
    ]);
  });
});

test.each([
  ["another table", "table inet other {\n}\n"],
  ["nothing", ""],
])("%s is no table of ours", (_, text) => {
  expect(parseListing(text)).toBeUndefined();
});

test.each([
  ["of another type", "\t\ttype mark"],
  ["with a default timeout", "\t\ttype ipv4_addr\n\t\ttimeout 5s"],
  ["of constant elements", "\t\ttype ipv4_addr\n\t\tflags constant"],
])("a set %s is not one we made", (_, body) => {
  expect(set(body)?.set).toBeUndefined();
});

test("elements that cannot be read are left out", () => {
  const found = set(
    '\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.0.0.0/8, 10.0.0.0/99, x, 11.0.0.1-x, 12.0.0.1-12.0.0.9 comment "a, b } c" }',
  );
  expect(found?.elements.map(({ key }) => renderKey(key))).toEqual(["10.0.0.0/8", "12.0.0.1-12.0.0.9"]);
  const pairs = set("\t\ttype inet_proto . inet_service\n\t\telements = { 6 . 22, 132 . 5, tcp, tcp . http }");
  expect(pairs?.elements.map(({ key }) => renderKey(key))).toEqual(["tcp . 22"]);
});

test("a chain on another hook is not one we made", () => {
  const text =
    "table inet knockgate { # handle 1\n\tflags dormant\n\tchain gate { # handle 2\n\t\ttype filter hook input priority 0; policy accept;\n\t}\n}\n";
  expect(parseListing(text)?.chains.get("gate")?.chain).toBeUndefined();
  expect(parseListing(text)?.dormant).toBe(true);
});

test("times have units from milliseconds to days", () => {
  expect(parseTimeout("1d2h3m4s5ms")).toBe(93_784_005);
});
