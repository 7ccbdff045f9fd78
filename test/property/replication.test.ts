import fc from "fast-check";
import { expect, test } from "vitest";
import { clusterHold } from "../../src/grant/hold.ts";
import type { LedgerEntry } from "../../src/grant/ledger.ts";
import type { KubeObject } from "../../src/kubernetes/resource.ts";
import { type Address, contains, formatAddress, parseAddress } from "../../src/policy/address.ts";
import { portKey } from "../../src/policy/port.ts";
import { type Jurisdiction, judge, readGrant } from "../../src/replication/grant-object.ts";
import { type LiveGrant, planReplication } from "../../src/replication/replication.ts";
import { samplePolicy } from "../fake/sample-policy.ts";

const policies = [
  samplePolicy({
    name: "ssh",
    ports: ["22/tcp", "80/tcp"],
    forSeconds: 30,
    sources: ["192.0.2.0/24", "2001:db8::/32"],
  }),
  samplePolicy({ name: "forever", ports: ["53/udp"], forSeconds: 0 }),
];
const [ssh] = policies;
const never = parseAddress("192.0.2.66") ?? new Uint32Array(4);
const jurisdiction: Jurisdiction = {
  node: "node-a",
  policies: new Map(policies.map((policy) => [policy.name, policy])),
  isNeverGranted: (source) => formatAddress(source) === formatAddress(never),
};

const text = fc.oneof(
  fc.string(),
  fc.constantFrom("ssh", "forever", "node-a", "192.0.2.1", "192.0.2.66", "::ffff:192.0.2.1"),
);
const near = {
  sequenceRef: fc.oneof(fc.record({ name: text }), fc.anything()),
  source: fc.oneof(
    fc.constantFrom("192.0.2.1", "192.0.2.66", "192.0.2.0/24", "198.51.100.1", "2001:db8::1", "::", "010.0.0.1"),
    fc.anything(),
  ),
  ports: fc.oneof(
    fc.array(fc.constantFrom<unknown>("22/tcp", 22, "22", "1-65535", "53/udp", "80-90/tcp", "22/udp", -1, "x"), {
      maxLength: 70,
    }),
    fc.anything(),
  ),
  node: fc.oneof(fc.constantFrom("node-a", "node-b", ""), fc.anything()),
  for: fc.oneof(fc.constantFrom("0s", "30s", "10s", "720h", "99999999h", "-1s", "1e9s"), fc.anything()),
  more: fc.anything(),
};
/** Objects that are nearly KnockGrants, and anything at all. */
const spec = fc.oneof(
  fc.record(near, { requiredKeys: [] }),
  fc.record(near, { requiredKeys: ["source"] }),
  fc.anything(),
);
const metadata = fc.record(
  {
    name: text,
    namespace: fc.oneof(fc.constant("default"), fc.anything()),
    uid: fc.oneof(fc.uuid(), fc.anything()),
    creationTimestamp: fc.oneof(fc.constantFrom("2026-11-25T12:00:00Z", "soon", ""), fc.anything()),
    deletionTimestamp: fc.anything(),
  },
  { requiredKeys: ["name"] },
);
const object = fc.record({ metadata, spec }) as fc.Arbitrary<KubeObject>;

test("an arbitrary KnockGrant never throws, and never opens more than its policy allows", () => {
  const born = Date.parse("2026-11-25T12:00:00Z") * 1000;
  let opened = 0;
  fc.assert(
    fc.property(object, (arbitrary) => {
      const grant = readGrant(arbitrary);
      if (grant === undefined) return;
      const verdict = judge(grant, jurisdiction);
      if (verdict.kind !== "opens") return;
      opened++;
      const { policy, ports, untilMicros } = verdict;
      expect(policies).toContain(policy);
      expect(`${grant.namespace}/${grant.spec.sequence}`).toBe(policy.name);
      const allowed = new Set(policy.opens?.ports.map(portKey));
      for (const port of ports) expect(allowed).toContain(portKey(port));
      expect(policy.opensBy.sources.some((range) => contains(range, grant.spec.source))).toBe(true);
      expect(jurisdiction.isNeverGranted(grant.spec.source, policy)).toBe(false);
      const longest = policy.opens?.forMicros === 0 ? Infinity : (policy.opens?.forMicros ?? 0);
      expect(untilMicros).toBeLessThanOrEqual(born + 500_000 + longest);
    }),
    { numRuns: 20_000, examples: [[sound({})], [sound({ ports: ["22/tcp", 9999] })]] },
  );
  expect(opened).toBeGreaterThan(0);
});

function sound(more: object): KubeObject {
  return {
    metadata: { name: "a", namespace: "default", uid: "u", creationTimestamp: "2026-11-25T12:00:00Z" },
    spec: { sequenceRef: { name: "ssh" }, source: "192.0.2.1", ...more },
  } as KubeObject;
}

const sources = ["192.0.2.1", "192.0.2.2"].map((one) => parseAddress(one) as Address);
const grantArbitrary = fc.record({
  uid: fc.uuid(),
  source: fc.constantFrom(...sources),
  ports: fc.subarray([...(ssh?.opens?.ports ?? [])], { minLength: 1 }),
  deadlineMicros: fc.oneof(
    fc.integer({ min: -5, max: 60 }).map((seconds) => seconds * 1e6),
    fc.constant(Infinity),
  ),
});

test("carrying out a plan leaves exactly what the grants hold, and what others hold untouched; the next plan is empty", () => {
  if (ssh === undefined) throw new Error("no policy");
  const held = fc.array(
    fc.tuple(fc.constantFrom(...sources), fc.constantFrom(...(ssh.opens?.ports ?? [])), fc.nat(90)),
  );
  fc.assert(
    fc.property(fc.array(grantArbitrary, { maxLength: 6 }), held, fc.boolean(), (list, before, isKnocked) => {
      const grants = list.map((one): LiveGrant => ({ ...one, policy: ssh, label: "KnockGrant" }));
      const ledger = new Map<string, LedgerEntry>();
      const keyOf = (source: Address, port: { port: number }) => `${source.join()} ${port.port}`;
      for (const [source, port, seconds] of before) {
        const deadlines = new Map([[clusterHold(ssh.id), (seconds + 1) * 1e6]]);
        if (isKnocked) deadlines.set(ssh.id, 7e6);
        ledger.set(keyOf(source, port), { source, port, deadlines });
      }
      const state = () => ({
        grants,
        entries: ledger.values(),
        policies: new Map([[ssh.id, ssh]]),
        isOpened: () => false,
        isAwaited: () => false,
        nowMicros: 0,
      });
      const plan = planReplication(state());
      const change = (source: Address, ports: readonly { protocol: "tcp" | "udp"; port: number }[], until: number) => {
        for (const port of ports) {
          const deadlines = new Map(ledger.get(keyOf(source, port))?.deadlines);
          if (until > 0) deadlines.set(clusterHold(ssh.id), until);
          else deadlines.delete(clusterHold(ssh.id));
          ledger.set(keyOf(source, port), { source, port, deadlines });
        }
      };
      for (const { source, ports } of plan.releases) change(source, ports, 0);
      for (const { source, ports, deadlineMicros } of plan.holds) change(source, ports, deadlineMicros);
      for (const { source, port, deadlines } of ledger.values()) {
        const holding = grants.filter((grant) => grant.source === source && grant.ports.includes(port));
        const until = Math.max(0, ...holding.map(({ deadlineMicros }) => deadlineMicros));
        const now = deadlines.get(clusterHold(ssh.id)) ?? 0;
        expect(now === until || Math.abs(now - until) <= 300_000).toBe(true);
        if (isKnocked && before.some(([one, other]) => one === source && other === port))
          expect(deadlines.get(ssh.id)).toBe(7e6);
      }
      expect(planReplication(state())).toEqual({ holds: [], releases: [] });
    }),
  );
});
