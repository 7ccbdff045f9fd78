import { beforeEach, describe, expect, test } from "vitest";
import type { Grant } from "../../../src/grant/grant.ts";
import type { GrantEvent } from "../../../src/grant/grant-report.ts";
import { Granter } from "../../../src/grant/granter.ts";
import { grantKey } from "../../../src/grant/ledger.ts";
import { formatAddress, parseAddress, parseCidr } from "../../../src/policy/address.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { formatPort } from "../../../src/policy/port.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeGate } from "../../fake/fake-gate.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const alice = address("192.0.2.11");
const bob = address("2001:db8::12");
const ssh = samplePolicy({ name: "ssh", ports: ["22/tcp"], forSeconds: 30 });
const closing = {
  policy: samplePolicy({ closedBy: ["9000/udp"] }),
  action: "close",
  source: alice,
  atMicros: 0,
} as const;
const web = samplePolicy({ name: "web", ports: ["22/tcp", "80/tcp"], forSeconds: 60 });

let clock: FakeClock;
let gate: FakeGate;
let events: GrantEvent[];
let counts: Map<string, number>;
let cuts: string[];

beforeEach(() => {
  clock = new FakeClock();
  gate = new FakeGate();
  events = [];
  counts = new Map();
  cuts = [];
});

describe("a completion", () => {
  test("opens every port for its source until the deadline and says how long it took", async () => {
    const granter = start([web]);
    const atMicros = clock.nowMicros() - 2000;
    granter.complete({ policy: web, action: "open", source: alice, atMicros });
    await granter.settled();
    expect(open()).toEqual(["192.0.2.11 22/tcp 60s", "192.0.2.11 80/tcp 60s"]);
    expect(events).toMatchObject([{ kind: "added", policy: "default/web", latencySeconds: 0.002, detail: "knock" }]);
    expect(events[0]?.untilWallMicros).toBe(clock.wallMicros() + 60e6);
    expect(counts).toEqual(new Map([["default/web", 2]]));
  });

  test("within one turn shares one commit with the others", async () => {
    const granter = start([ssh]);
    knock(granter, ssh, alice);
    knock(granter, ssh, bob);
    await granter.settled();
    expect(gate.commits).toHaveLength(1);
    expect(events.map((event) => event.kind)).toEqual(["added", "added"]);
  });

  test("renews when the door is open already", async () => {
    const granter = start([ssh]);
    await knocked(granter, ssh, alice);
    clock.advance(20_000);
    await knocked(granter, ssh, alice);
    expect(events.map((event) => event.kind)).toEqual(["added", "renewed"]);
    expect(open()).toEqual(["192.0.2.11 22/tcp 30s"]);
  });

  test("of a second policy leaves the later deadline", async () => {
    const granter = start([ssh, web]);
    await knocked(granter, web, alice);
    await knocked(granter, ssh, alice);
    expect(open()).toContain("192.0.2.11 22/tcp 60s");
    expect(gate.open.values().next().value?.policies).toEqual([web.id, ssh.id]);
  });

  test("of a policy with `for: 0s` has no deadline", async () => {
    const forever = samplePolicy({ forSeconds: 0 });
    const granter = start([forever]);
    await knocked(granter, forever, alice);
    expect(open()).toEqual(["192.0.2.11 22/tcp until closed"]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a refusal", () => {
  test("by the kernel costs nobody else a grant", async () => {
    const granter = start([web]);
    gate.refuse = (change) =>
      change.kind === "open" && change.grant.port.port === 80
        ? { kind: "refused", reason: "set-full", detail: "the set is full" }
        : undefined;
    await knocked(granter, web, alice);
    expect(open()).toEqual(["192.0.2.11 22/tcp 60s"]);
    expect(events).toMatchObject([{ kind: "added" }, { kind: "refused", reason: "set-full" }]);
    expect(events[1]?.ports.map(formatPort)).toEqual(["80/tcp"]);
  });

  test("by a broken kernel reports no grant and leaves none in the ledger, and is told once it was in vain", async () => {
    const granter = start([ssh]);
    gate.broken = new Error("no permission");
    await knocked(granter, ssh, alice);
    expect(events).toEqual([]);
    await clock.advanceAsync(10_000, 100);
    expect(events).toMatchObject([{ kind: "failed", reason: "kernel-error", detail: "no permission" }]);
    expect(granter.liveGrants()).toEqual([]);
    expect(gate.commits.length).toBeLessThan(12);
    expect(clock.pendingTimers).toBe(0);
  });

  test("comes at --max-grants, and room is made by expiry", async () => {
    const granter = start([ssh], { maxGrants: 1 });
    await knocked(granter, ssh, alice);
    await knocked(granter, ssh, bob);
    expect(events[1]).toMatchObject({ kind: "refused", reason: "limit" });
    clock.advance(30_100);
    await knocked(granter, ssh, bob);
    expect(events.at(-1)).toMatchObject({ kind: "added" });
  });

  test.each([
    { name: "any source", sources: ["0.0.0.0/0"], refused: true },
    { name: "the range itself", sources: ["192.0.2.0/24"], refused: false },
    { name: "a part of it with the source", sources: ["192.0.2.0/28"], refused: false },
    { name: "a part of it without the source", sources: ["0.0.0.0/0", "192.0.2.128/25"], refused: true },
  ])("comes for a never-granted range when the policy names $name: $refused", async ({ sources, refused }) => {
    const policy = samplePolicy({ sources });
    const granter = start([policy], { never: ["192.0.2.0/24"] });
    await knocked(granter, policy, alice);
    expect(events).toMatchObject([refused ? { kind: "refused", reason: "never-grant" } : { kind: "added" }]);
    expect(gate.open.size).toBe(refused ? 0 : 1);
  });
});

describe("a kernel that fails for a moment", () => {
  const moment = new Error("nftables refused");

  test.each([100, 1400, 4400])("of %d ms costs no right knock its grant, which ends when it would have", async (ms) => {
    const granter = start([ssh]);
    gate.broken = moment;
    await knocked(granter, ssh, alice);
    await clock.advanceAsync(ms, 100);
    gate.broken = undefined;
    await clock.advanceAsync(1000, 100);
    expect(events.map(({ kind }) => kind)).toEqual(["added"]);
    expect(open()).toEqual([`192.0.2.11 22/tcp ${30 - ms / 1000 - 1}s`]);
    expect(granter.liveGrants()).toHaveLength(1);
  });

  test("costs no revocation its effect, and what is still open is not counted as closed", async () => {
    const granter = start([ssh]);
    await knocked(granter, ssh, alice);
    gate.broken = moment;
    await expect(granter.revoke(alice)).rejects.toThrow("22/tcp is still open");
    expect(granter.liveGrants()).toHaveLength(1);
    gate.broken = undefined;
    await clock.advanceAsync(200, 100);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "revoked"]);
    expect(open()).toEqual([]);
  });

  test("is asked again at once for a door that was knocked at again", async () => {
    const granter = start([ssh]);
    gate.broken = moment;
    await knocked(granter, ssh, alice);
    gate.broken = undefined;
    await knocked(granter, ssh, alice);
    await clock.advanceAsync(2000, 100);
    expect(events.map(({ kind }) => kind)).toEqual(["failed", "added"]);
    expect(gate.commits).toHaveLength(2);
  });

  test.each([
    { what: "closed", act: (granter: Granter) => granter.complete(closing) },
    { what: "revoked", act: (granter: Granter) => void granter.revoke(alice) },
    { what: "no longer configured", act: (granter: Granter) => granter.usePolicies([]) },
    { what: "past its deadline", act: () => undefined, forSeconds: 0.05 },
    { what: "given up by a stop", act: (granter: Granter) => void granter.close() },
  ])("opens nothing afterwards that was $what meanwhile", async ({ act, forSeconds }) => {
    const policy = samplePolicy({ closedBy: ["9000/udp"], forSeconds: forSeconds ?? 30 });
    const granter = start([policy]);
    gate.broken = moment;
    await knocked(granter, policy, alice);
    act(granter);
    await granter.settled();
    gate.broken = undefined;
    await clock.advanceAsync(6000, 100);
    expect(open()).toEqual([]);
    expect(events.map(({ kind }) => kind)).toEqual(["failed"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("opens nothing afterwards that was closed while the kernel was asked", async () => {
    const granter = start([ssh]);
    gate.broken = moment;
    knock(granter, ssh, alice);
    await Promise.resolve();
    await Promise.resolve();
    granter.complete({ policy: ssh, action: "close", source: alice, atMicros: clock.nowMicros() });
    await granter.settled();
    gate.broken = undefined;
    await clock.advanceAsync(6000, 100);
    expect(open()).toEqual([]);
  });

  test("keeps a bounded number of knocks waiting", async () => {
    const granter = start([ssh], { maxGrants: 5000 });
    gate.broken = moment;
    for (let last = 0; last < 1000; last++) knock(granter, ssh, new Uint32Array([0, 0, 0xffff, 0xc6120000 + last]));
    await granter.settled();
    expect(events).toHaveLength(1000 - 256);
    gate.broken = undefined;
    await clock.advanceAsync(200, 100);
    expect(gate.open.size).toBe(256);
  });
});

describe("a door closes", () => {
  test("at its deadline, with one record however many ports", async () => {
    const granter = start([web]);
    await knocked(granter, web, alice);
    clock.advance(59_900);
    expect(events).toHaveLength(1);
    clock.advance(300);
    expect(events[1]).toMatchObject({ kind: "expired", policy: "default/web" });
    expect(events[1]?.ports).toHaveLength(2);
    expect(counts).toEqual(new Map([["default/web", 0]]));
    expect(granter.liveGrants()).toEqual([]);
  });

  test("by its closing sequence for this policy alone", async () => {
    const granter = start([ssh, web]);
    await knocked(granter, ssh, alice);
    await knocked(granter, web, alice);
    granter.complete({ policy: web, action: "close", source: alice, atMicros: clock.nowMicros() });
    await granter.settled();
    expect(open()).toEqual(["192.0.2.11 22/tcp 30s"]);
    expect(events.at(-1)).toMatchObject({ kind: "revoked", policy: "default/web", detail: "closedBy" });
  });

  test("by revocation, for one source or for one of its sequences", async () => {
    const granter = start([ssh, web]);
    await knocked(granter, ssh, alice);
    await knocked(granter, web, alice);
    await knocked(granter, ssh, bob);
    expect(await granter.revoke(alice, "default/web")).toBe(2);
    expect(open()).toEqual(["192.0.2.11 22/tcp 30s", "2001:db8::12 22/tcp 30s"]);
    expect(await granter.revoke(alice)).toBe(1);
    expect(await granter.revoke(alice)).toBe(0);
    expect(open()).toEqual(["2001:db8::12 22/tcp 30s"]);
  });

  test("that two policies hold is told once for each", async () => {
    const granter = start([ssh, web]);
    await knocked(granter, ssh, alice);
    await knocked(granter, web, alice);
    events = [];
    await granter.revoke(alice);
    expect(events.map(({ kind, policy, ports }) => `${kind} ${policy} ${ports.map(formatPort)}`)).toEqual([
      "revoked default/ssh 22/tcp",
      "revoked default/web 22/tcp,80/tcp",
    ]);
  });

  test("when its policy is gone or no longer opens the port", async () => {
    const granter = start([ssh, web]);
    await knocked(granter, ssh, alice);
    await knocked(granter, web, bob);
    granter.usePolicies([samplePolicy({ name: "web", ports: ["80/tcp"] })]);
    await granter.settled();
    expect(open()).toEqual(["2001:db8::12 80/tcp 60s"]);
    expect(events.slice(2)).toMatchObject([
      { kind: "revoked", policy: "default/ssh", detail: "policy-gone" },
      { kind: "revoked", policy: "default/web", detail: "policy-gone" },
    ]);
  });

  test("when somebody deleted the element, which is not put back", async () => {
    const granter = start([ssh]);
    await knocked(granter, ssh, alice);
    granter.acceptRevocation(granter.liveGrants());
    expect(events.at(-1)).toMatchObject({ kind: "revoked", detail: "kernel" });
    expect(granter.liveGrants()).toEqual([]);
  });

  test.each(["expiry", "revocation", "policy gone"])("and cuts its connections where told so: %s", async (how) => {
    const cutting = samplePolicy({ established: "Cut" });
    const granter = start([cutting]);
    await knocked(granter, cutting, alice);
    if (how === "expiry") clock.advance(31_000);
    else if (how === "revocation") await granter.revoke(alice);
    else granter.usePolicies([]);
    await granter.settled();
    expect(cuts).toEqual(["192.0.2.11 22/tcp"]);
  });
});

describe("a door that was opened by hand", () => {
  const byHand = { port: { protocol: "tcp", port: 23 }, policies: [], deadlineMicros: undefined } as const;

  test("is seen beside the grants, and closed with its source's doors, which tells that it was by hand", async () => {
    const granter = start([samplePolicy({ established: "Cut", ports: ["23/tcp"], forSeconds: 30 })]);
    for (const source of [alice, bob]) keep({ source, ...byHand });
    expect(granter.liveGrants()).toEqual([]);
    expect(await granter.grantsByHand()).toHaveLength(2);
    expect(await granter.revoke(alice)).toBe(1);
    expect(open()).toEqual(["2001:db8::12 23/tcp until closed"]);
    expect(events).toMatchObject([{ kind: "revoked", policy: "by hand", detail: "socket" }]);
    expect(cuts).toEqual(["192.0.2.11 23/tcp"]);
    expect(await granter.revoke(alice)).toBe(0);
  });

  test("is not what one of its source's sequences has opened", async () => {
    const granter = start([ssh]);
    keep({ source: alice, ...byHand });
    await knocked(granter, ssh, alice);
    expect(await granter.grantsByHand()).toMatchObject([{ port: { port: 23 } }]);
    expect(await granter.revoke(alice, "default/ssh")).toBe(1);
    expect(open()).toEqual(["192.0.2.11 23/tcp until closed"]);
  });

  test("that the kernel does not close is not said to be closed", async () => {
    const granter = start([ssh]);
    keep({ source: alice, ...byHand });
    gate.refuse = () => ({ kind: "refused", reason: "kernel-error", detail: "nftables refused" });
    await expect(granter.revoke(alice)).rejects.toThrow("23/tcp is still open");
    expect(events).toEqual([]);
  });
});

describe("after a restart", () => {
  test("the ledger is what the kernel holds; unknown policies expire by themselves", async () => {
    const deadline = clock.nowMicros() + 12e6;
    keep({ source: alice, port: { protocol: "tcp", port: 22 }, policies: [ssh.id], deadlineMicros: deadline });
    keep({ source: bob, port: { protocol: "tcp", port: 23 }, policies: ["0badc0de"], deadlineMicros: deadline });
    keep({ source: bob, port: { protocol: "tcp", port: 24 }, policies: [], deadlineMicros: undefined });
    const granter = start([ssh]);
    await granter.restore();
    await granter.settled();
    expect(granter.liveGrants()).toHaveLength(2);
    expect(gate.open.size).toBe(3);
    clock.advance(12_100);
    expect(events.map(({ kind, policy }) => `${kind} ${policy}`).sort()).toEqual([
      "expired 0badc0de",
      "expired default/ssh",
    ]);
  });

  test("a door without a deadline whose policy is gone is closed", async () => {
    keep({ source: bob, port: { protocol: "tcp", port: 23 }, policies: ["0badc0de"], deadlineMicros: undefined });
    const granter = start([ssh]);
    await granter.restore();
    await granter.settled();
    expect(gate.open.size).toBe(0);
  });
});

function start(policies: readonly Policy[], limits: { maxGrants?: number; never?: string[] } = {}): Granter {
  const granter = new Granter({
    gate,
    clock,
    connections: { cut: async (source, port) => void cuts.push(`${formatAddress(source)} ${formatPort(port)}`) },
    report: { grant: (event) => events.push(event), active: (policy, count) => counts.set(policy, count) },
    neverGrants: (limits.never ?? []).map((text) => parseCidr(text) ?? { address: alice, prefixBits: 128 }),
    maxGrants: limits.maxGrants ?? 100,
  });
  granter.usePolicies(policies);
  return granter;
}

function knock(granter: Granter, policy: Policy, source: Uint32Array): void {
  granter.complete({ policy, action: "open", source, atMicros: clock.nowMicros() });
}

async function knocked(granter: Granter, policy: Policy, source: Uint32Array): Promise<void> {
  knock(granter, policy, source);
  await granter.settled();
}

function keep(grant: Grant): void {
  gate.open.set(grantKey(grant.source, grant.port), grant);
}

function open(): string[] {
  return [...gate.open.values()].map(({ source, port, deadlineMicros }) => {
    const left = deadlineMicros === undefined ? "until closed" : `${(deadlineMicros - clock.nowMicros()) / 1e6}s`;
    return `${formatAddress(source)} ${formatPort(port)} ${left}`;
  });
}

function address(text: string): Uint32Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}
