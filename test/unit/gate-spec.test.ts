import { expect, test } from "vitest";
import { addGuards, noGuards, standingGuards } from "../../src/gate-spec.ts";
import type { TableListing } from "../../src/nftables/nft.ts";
import type { NftElement } from "../../src/nftables/objects.ts";
import { formatPort, type Port } from "../../src/policy/port.ts";

const ssh: Port = { protocol: "tcp", port: 22 };
const dns: Port = { protocol: "udp", port: 53 };

test("what the kernel guards is added to what the configuration guards", () => {
  const table = listing({ guarded: [ssh, dns], cutting: [dns] });
  const web: Port = { protocol: "tcp", port: 80 };
  const guarding = addGuards({ guarded: [ssh, web], cutting: [] }, standingGuards(table));
  expect(guarding.guarded.map(formatPort).sort()).toEqual(["22/tcp", "53/udp", "80/tcp"]);
  expect(guarding.cutting.map(formatPort)).toEqual(["53/udp"]);
});

test("without a table nothing is guarded from before", () => {
  expect(standingGuards(undefined)).toEqual(noGuards);
});

function listing(ports: Readonly<Record<string, readonly Port[]>>): TableListing {
  const sets = Object.entries(ports).map(([set, members]) => {
    const elements = members.map(
      ({ protocol, port }): NftElement => ({
        kind: "element",
        set,
        key: [
          { kind: "protocol", protocol },
          { kind: "port", port },
        ],
      }),
    );
    return [set, { handle: 1, set: undefined, elements }] as const;
  });
  return { handle: 1, dormant: false, sets: new Map(sets), chains: new Map(), counters: new Map() };
}
