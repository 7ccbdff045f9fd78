import { describe, expect, test } from "vitest";
import { type NftElement, type NftObject, rule } from "../../../src/nftables/objects.ts";
import { renderTimeout, renderTransaction } from "../../../src/nftables/render.ts";
import { Transaction } from "../../../src/nftables/transaction.ts";
import { address } from "../../fixture/ruleset-spec.ts";

const host: NftElement = { kind: "element", set: "hosts", key: [{ kind: "address", address: address("192.0.2.1") }] };
const hosts: NftObject = { kind: "set", name: "hosts", type: ["ipv4_addr"] };

describe("a transaction", () => {
  test.each<[string, NftObject]>([
    ["a set with a name of two words", { kind: "set", name: "a b", type: ["ipv4_addr"] }],
    ["a set of no elements", { kind: "set", name: "a", type: ["ipv4_addr"], size: 0 }],
    ["a chain with a semicolon", { kind: "chain", name: "a;" }],
    ["a chain of a broken priority", { kind: "chain", name: "a", hook: { name: "prerouting", priority: 0.5 } }],
    ["a counter without a name", { kind: "counter", name: "" }],
    ["a rule in a chain that is none", { kind: "rule", chain: "A", expression: rule`drop` }],
    ["an element of a set that is none", { ...host, set: "-" }],
    ["an element without a key", { ...host, key: [] }],
    ["an address of three words", { ...host, key: [{ kind: "address", address: new Uint32Array(3) }] }],
    ["a range of none", { ...host, key: [{ kind: "range", first: new Uint32Array(4), last: new Uint32Array(1) }] }],
    ["a port beyond the last", { ...host, key: [{ kind: "port", port: 65536 }] }],
    ["another protocol", { ...host, key: [{ kind: "protocol", protocol: "tcp }" as "tcp" }] }],
    ["a timeout of nothing", { ...host, timeoutMs: 0 }],
    ["a timeout beyond what nft reads", { ...host, timeoutMs: 1e18 }],
    ["a comment that ends its quotes", { ...host, comment: 'a"' }],
    ["a comment beyond what the kernel keeps", { ...host, comment: "a".repeat(129) }],
  ])("takes %s without failing, and tells when it is rendered", (_, object) => {
    const transaction = new Transaction().add(object).add(hosts);
    expect(() => renderTransaction(transaction)).toThrow(RangeError);
    expect(() => new Transaction().append(transaction).operations()).toThrow(`cannot add ${object.kind}`);
  });

  test("tells the first error", () => {
    const transaction = new Transaction().add({ ...host, timeoutMs: 0 }).delete({ ...host, set: "-" });
    expect(() => transaction.operations()).toThrow("cannot add element: 0 is not from 1");
  });

  test("is rendered a command a line, elements of one set together", () => {
    const other: NftElement = {
      ...host,
      key: [{ kind: "address", address: address("192.0.2.2") }],
      timeoutMs: 1500,
      comment: "x",
    };
    const transaction = new Transaction()
      .destroy({ kind: "table" })
      .create(hosts)
      .add(host)
      .add(other)
      .delete(other)
      .flush({ kind: "set", name: "hosts", type: [] })
      .insert({ kind: "rule", chain: "gate", expression: rule`ip saddr @${"hosts"} return` });
    expect(transaction.size).toBe(8);
    expect(renderTransaction(transaction).split("\n")).toEqual([
      "add table inet knockgate",
      "delete table inet knockgate",
      "create set inet knockgate hosts { type ipv4_addr; }",
      'add element inet knockgate hosts { 192.0.2.1, 192.0.2.2 timeout 1s500ms comment "x" }',
      "delete element inet knockgate hosts { 192.0.2.2 }",
      "flush set inet knockgate hosts",
      "insert rule inet knockgate gate ip saddr @hosts return",
      "",
    ]);
  });
});

test("only names become part of a rule", () => {
  expect(() => rule`ip saddr @${"a drop"} return`).toThrow(RangeError);
});

test.each([
  [1, "1ms"],
  [90_061_001, "1d1h1m1s1ms"],
  [3_600_000, "1h"],
])("%d ms are written %s", (ms, text) => {
  expect(renderTimeout(ms)).toBe(text);
});
