import { describe, expect, test } from "vitest";
import {
  adoptedElement,
  closedByListing,
  closedBySpec,
  parseConnections,
  readConnections,
  toAdopt,
} from "../../../src/nftables/connection-adoption.ts";
import { renderKey } from "../../../src/nftables/render.ts";
import { formatAddress } from "../../../src/policy/address.ts";
import { address, port, sampleSpec } from "../../fixture/ruleset-spec.ts";

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (local: string, peer: string, state: string) =>
  `   0: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000     0        0 1\n`;

describe("/proc/net/tcp", () => {
  test.each([
    ["IPv4", row("0100000A:0016", "0200000A:C350", "01"), ["10.0.0.2 50000 22"]],
    ["IPv6", row(`${"0".repeat(32)}:0016`, "B80D0120000000000000000001000000:C350", "01"), ["2001:db8::1 50000 22"]],
    [
      "IPv4 in IPv6",
      row(`${"0".repeat(32)}:0016`, "0000000000000000FFFF00000200000A:C350", "01"),
      ["10.0.0.2 50000 22"],
    ],
    ["half closed", row("0100000A:0016", "0200000A:C350", "08"), ["10.0.0.2 50000 22"]],
    ["listening", row("00000000:0016", "00000000:0000", "0A"), []],
    ["over but not forgotten", row("0100000A:0016", "0200000A:C350", "06"), []],
    ["nonsense", "zz\n", []],
  ])("%s", (_, text, expected) => {
    const found = parseConnections(header + text);
    expect(found.map(({ peer, peerPort, localPort }) => `${formatAddress(peer)} ${peerPort} ${localPort}`)).toEqual(
      expected,
    );
  });

  test("of this machine can be read", () => {
    expect(Array.isArray(readConnections())).toBe(true);
  });
});

describe("what is adopted", () => {
  const to = (localPort: number, peer = "192.0.2.9") => ({ peer: address(peer), peerPort: 5000, localPort });
  const spec = sampleSpec({ guarded: [port("22/tcp")], served: [port("443/tcp")] });
  const keys = (...args: Parameters<typeof toAdopt>) =>
    toAdopt(...args).map(({ set, key }) => `${set} ${renderKey(key)}`);

  test("are connections to ports that are closed now and were not before", () => {
    const connections = [to(22), to(80), to(22, "2001:db8::9"), to(22, "127.0.0.1"), to(22, "::1")];
    expect(keys(connections, closedBySpec(spec), [closedByListing(undefined)])).toEqual([
      "adopted4 192.0.2.9 . 5000 . 22",
      "adopted6 2001:db8::9 . 5000 . 22",
    ]);
    expect(keys(connections, closedBySpec(spec), [closedBySpec(spec)])).toEqual([]);
  });

  test("under default drop are all but those to served ports", () => {
    expect(
      keys([to(22), to(443), to(40_000)], closedBySpec({ ...spec, defaultDrop: true }), [closedBySpec(spec)]),
    ).toEqual(["adopted4 192.0.2.9 . 5000 . 40000"]);
  });

  test("are never those that began under the table in the kernel", () => {
    const element = adoptedElement(to(22));
    expect(element.timeoutMs).toBeUndefined();
    const guarded = {
      handle: 1,
      set: undefined,
      elements: [
        {
          kind: "element",
          set: "guarded",
          key: [
            { kind: "protocol", protocol: "tcp" },
            { kind: "port", port: 22 },
          ],
        },
      ],
    } as const;
    const listing = {
      handle: 1,
      dormant: false,
      sets: new Map([["guarded", guarded]]),
      chains: new Map(),
      counters: new Map(),
    };
    expect(keys([to(22)], closedBySpec(spec), [closedByListing(listing)])).toEqual([]);
    const dropping = { ...listing, chains: new Map([["unguarded", { handle: 2, chain: undefined, rules: [] }]]) };
    expect(keys([to(40_000)], closedBySpec({ ...spec, defaultDrop: true }), [closedByListing(dropping)])).toEqual([]);
  });
});
