import { expect, test } from "vitest";
import { addStandingGuards } from "../../src/gate-spec.ts";
import type { TableListing } from "../../src/nftables/nft.ts";
import type { NftElement } from "../../src/nftables/objects.ts";
import { formatPort, type Port } from "../../src/policy/port.ts";

const ssh: Port = { protocol: "tcp", port: 22 };
const dns: Port = { protocol: "udp", port: 53 };

test("what the kernel guards stays guarded when a part of the configuration could not be taken", () => {
  const table = listing({ guarded: [ssh, dns], cutting: [dns] });
  const web: Port = { protocol: "tcp", port: 80 };
  const guarding = addStandingGuards({ guarded: [ssh, web], cutting: [] }, table);
  expect(guarding.guarded.map(formatPort).sort()).toEqual(["22/tcp", "53/udp", "80/tcp"]);
  expect(guarding.cutting.map(formatPort)).toEqual(["53/udp"]);
});

test("without a table only the configuration counts", () => {
  expect(addStandingGuards({ guarded: [ssh], cutting: [] }, undefined)).toEqual({ guarded: [ssh], cutting: [] });
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
