import { beforeEach, describe, expect, test } from "vitest";
import type { GrantEvent } from "../../../src/grant/grant-report.ts";
import type { ClusterWish } from "../../../src/grant/grant-request.ts";
import { Granter } from "../../../src/grant/granter.ts";
import { clusterHold } from "../../../src/grant/hold.ts";
import { parseAddress, parseCidr } from "../../../src/policy/address.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeGate } from "../../fake/fake-gate.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const alice = parseAddress("192.0.2.11") ?? new Uint32Array(4);
const ssh = samplePolicy({ ports: ["22/tcp"], forSeconds: 30 });
const held = clusterHold(ssh.id);

let clock: FakeClock;
let gate: FakeGate;
let events: GrantEvent[];
let counts: Map<string, number>;
let granter: Granter;

beforeEach(() => {
  clock = new FakeClock();
  gate = new FakeGate();
  events = [];
  counts = new Map();
  granter = newGranter();
});

function newGranter(never: readonly string[] = []): Granter {
  const made = new Granter({
    gate,
    clock,
    connections: { cut: async () => undefined },
    report: { grant: (event) => events.push(event), active: (policy, count) => counts.set(policy, count) },
    neverGrants: never.flatMap((range) => parseCidr(range) ?? []),
    maxGrants: 100,
  });
  made.usePolicies([ssh]);
  return made;
}

async function hold(seconds: number, more: Partial<ClusterWish> = {}): Promise<void> {
  const deadlineMicros = clock.nowMicros() + seconds * 1e6;
  const wish = { policy: ssh, source: alice, ports: ssh.opens?.ports ?? [], deadlineMicros, grant: "KnockGrant a/b" };
  granter.hold({ ...wish, replacesKnock: false, ...more });
  await granter.settled();
}

async function knock(action: "open" | "close" = "open"): Promise<void> {
  granter.complete({ policy: ssh, action, source: alice, atMicros: clock.nowMicros() });
  await granter.settled();
}

/** `policies seconds` of the one door. */
function door(): string | undefined {
  const [grant] = gate.open.values();
  return grant && `${grant.policies.join()} ${((grant.deadlineMicros ?? Infinity) - clock.nowMicros()) / 1e6}`;
}

describe("what KnockGrants hold open", () => {
  test("is open exactly until then, longer and shorter, and each change is told", async () => {
    await hold(20);
    await hold(60);
    await hold(10);
    expect(door()).toBe(`${held} 10`);
    expect(events.map(({ kind, detail }) => `${kind} ${detail}`)).toEqual([
      "added KnockGrant a/b",
      "renewed KnockGrant a/b",
      "shortened KnockGrant a/b",
    ]);
    clock.advance(10_100);
    expect(events.at(-1)).toMatchObject({ kind: "expired", policy: "default/ssh" });
  });

  test("is told once where it changes twice within a turn", async () => {
    await hold(60);
    void hold(30);
    await hold(20);
    expect(door()).toBe(`${held} 20`);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "shortened"]);
  });

  test("is one grant of the policy, with what a knock holds", async () => {
    await knock();
    await hold(60);
    expect(door()).toBe(`${ssh.id},${held} 60`);
    expect(counts).toEqual(new Map([["default/ssh", 1]]));
    clock.advance(30_100);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "renewed"]);
    clock.advance(30_100);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "renewed", "expired"]);
  });

  test("takes the place of the knock's hold without a word, when they end alike", async () => {
    await knock();
    await hold(30.4, { replacesKnock: true });
    expect(door()).toBe(`${held} 30.4`);
    expect(events.map(({ kind }) => kind)).toEqual(["added"]);
  });

  test("ends alone: a knock keeps the door open", async () => {
    await knock();
    await hold(60);
    granter.release(held, alice, ssh.opens?.ports ?? []);
    await granter.settled();
    expect(door()).toBe(`${ssh.id} 30`);
    expect(events.map(({ kind }) => kind)).toEqual(["added", "renewed"]);
  });

  test("ends with the door where nothing else holds it", async () => {
    await hold(60);
    granter.release(held, alice, ssh.opens?.ports ?? []);
    await granter.settled();
    expect(door()).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ kind: "revoked", detail: "grant-deleted" });
  });

  test.each([
    { how: "closedBy", act: () => knock("close"), detail: "closedBy" },
    { how: "revocation", act: () => granter.revoke(alice), detail: "socket" },
    { how: "its policy going", act: async () => granter.usePolicies([]), detail: "policy-gone" },
  ])("is closed by $how with what the knock holds, and told once", async ({ act, detail }) => {
    await knock();
    await hold(60);
    events = [];
    await act();
    await granter.settled();
    expect(door()).toBeUndefined();
    expect(events).toMatchObject([{ kind: "revoked", detail, policy: "default/ssh" }]);
  });

  test("is known as such after a restart", async () => {
    await hold(60);
    const next = newGranter();
    await next.restore();
    expect([...next.entries()].map(({ deadlines }) => [...deadlines.keys()])).toEqual([[held]]);
  });

  test("never is a source in a range that gets no grant", async () => {
    granter = newGranter(["192.0.2.0/24"]);
    await hold(60);
    expect([door(), events]).toMatchObject([undefined, [{ kind: "refused", reason: "never-grant" }]]);
  });

  test("opens for a knock at the same moment whatever of the two fails first", async () => {
    gate.broken = new Error("nftables refused");
    await knock();
    await hold(60);
    gate.broken = undefined;
    await clock.advanceAsync(2000, 100);
    expect(door()).toBe(`${ssh.id},${held} 58`);
  });
});
