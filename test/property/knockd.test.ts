import { expect, test } from "vitest";
import { protocolNumber } from "../../src/decode/knock.ts";
import { formatAddress, parseAddress } from "../../src/policy/address.ts";
import { compile } from "../../src/policy/compile.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import { plainOptions } from "../fake/policy-text.ts";
import { confOf, type RandomDoor, type RandomPacket, randomDoors, randomScript } from "../fake/random-doors.ts";
import { sampleKnock } from "../fake/sample-knock.ts";
import { playStrictly } from "../fake/strict-model.ts";
import { Random } from "../fuzz/random.ts";

const targets = { ipv4: ["192.0.2.1", "192.0.2.2"], ipv6: ["2001:db8::1", "2001:db8::2"] } as const;
const sources = ["198.51.100.1", "198.51.100.2", "2001:db8:1::1", "2001:db8:2::1"];
const freshSeed = Date.now() >>> 0;

/** Packets of several sources in one order in which each source's own stay in theirs. */
function interleaved(random: Random, scripts: ReadonlyMap<string, readonly RandomPacket[]>) {
  const left = new Map([...scripts].map(([source, packets]) => [source, [...packets]]));
  const order: (readonly [string, RandomPacket])[] = [];
  while (left.size > 0) {
    const source = random.pick([...left.keys()]);
    const packet = left.get(source)?.shift();
    if (packet === undefined) left.delete(source);
    else order.push([source, packet]);
  }
  return order;
}

function opened(doors: readonly RandomDoor[], packets: readonly (readonly [string, RandomPacket])[]) {
  const text = confOf(doors);
  const document = { origin: "knockd.conf", format: "knockd-conf", text } as const;
  const found = new Map(sources.map((source) => [source, [] as string[]]));
  const tracker = new KnockTracker({
    maxSources: 1000,
    seed: 1,
    report: { outcome: () => {}, evicted: () => {} },
    complete: ({ policy, source }) => found.get(formatAddress(source))?.push(policy.knockd?.door ?? ""),
  });
  tracker.usePolicies(compile([document], { ...plainOptions, allowCommands: true }).policies);
  for (const [at, [from, packet]] of packets.entries()) {
    const { port, flags } = packet;
    const target = parseAddress(packet.target) ?? new Uint32Array(4);
    const protocol = protocolNumber[packet.protocol];
    tracker.observe(sampleKnock({ from, target, port, flags, protocol, atMicros: 1e9 + at }));
  }
  return { found, tracked: tracker.trackedSources };
}

test.each([1, freshSeed])(
  "whatever several sources send at once, each opens what it would open alone, by knockd's rules; from seed %i on",
  (seed) => {
    for (let run = 0; run < 500; run++) {
      const random = new Random(seed, run);
      const doors = randomDoors(random, targets);
      const scripts = new Map(
        sources.map((source) => [source, randomScript(random, doors, targets[source.includes(":") ? "ipv6" : "ipv4"])]),
      );
      const { found, tracked } = opened(doors, interleaved(random, scripts));
      for (const [source, packets] of scripts)
        expect(found.get(source)?.sort(), `run ${run}, ${source}`).toEqual(
          [...playStrictly(doors, packets).opened].sort(),
        );
      expect(tracked).toBe(0);
    }
  },
);
