import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Grant } from "../../../src/grant/grant.ts";
import type { Connection } from "../../../src/nftables/connection-adoption.ts";
import { NftError } from "../../../src/nftables/nft-error.ts";
import { type NftObject, rule } from "../../../src/nftables/objects.ts";
import { Reconciler, type ReconcilerParts } from "../../../src/nftables/reconciler.ts";
import { renderKey } from "../../../src/nftables/render.ts";
import type { GateSpec } from "../../../src/nftables/ruleset.ts";
import { renderRuleset } from "../../../src/nftables/table-plan.ts";
import { Transaction } from "../../../src/nftables/transaction.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeNft } from "../../fake/fake-nft.ts";
import { address, port, sampleSpec } from "../../fixture/ruleset-spec.ts";
import { GateDiary } from "./gate-diary.ts";

let clock: FakeClock;
let nft: FakeNft;
let diary: GateDiary;
let live: Grant[];
let revoked: Grant[];
let connections: Connection[];
let reconciler: Reconciler;
let folder: string;

function begin(more: Partial<ReconcilerParts> = {}): Reconciler {
  return new Reconciler({
    nft,
    clock,
    report: diary,
    stateDir: folder,
    liveGrants: () => live,
    acceptRevocation: (missing) => revoked.push(...missing),
    connections: () => connections,
    ...more,
  });
}

beforeEach(() => {
  clock = new FakeClock();
  nft = new FakeNft(clock);
  diary = new GateDiary();
  [live, revoked, connections] = [[], [], []];
  folder = mkdtempSync(join(tmpdir(), "kg-state-"));
  reconciler = begin();
});
afterEach(async () => {
  await reconciler.close();
  rmSync(folder, { recursive: true, force: true });
});

const table = { kind: "table" } as const;
const change = (transaction: Transaction) => nft.run(transaction);
const keys = async (set: string) =>
  ((await nft.list())?.sets.get(set)?.elements ?? []).map(({ key }) => renderKey(key));

/** Lets timers fire, and waits until what they began has ended. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1000);
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1), { interval: 1 });
  }
}

async function grant(host: string, seconds?: number): Promise<Grant> {
  const deadlineMicros = seconds === undefined ? undefined : clock.nowMicros() + seconds * 1e6;
  const given: Grant = { source: address(host), port: port("22/tcp"), policies: ["0123abcd"], deadlineMicros };
  await reconciler.gate.commit([{ kind: "open", grant: given }]);
  live.push(given);
  return given;
}

describe("loading", () => {
  test("is one transaction, and then all is well", async () => {
    await reconciler.start(sampleSpec());
    expect(nft.applied).toHaveLength(1);
    expect(diary.reason).toBeUndefined();
    expect(diary.syncs).toBe(1);
    expect(await keys("trusted4")).toEqual(["10.0.0.0/8"]);
  });

  test("keeps the text for the next boot, for nobody else to read", async () => {
    await reconciler.start(sampleSpec());
    const path = join(folder, "ruleset.nft");
    expect(readFileSync(path, "utf8")).toContain(renderRuleset(sampleSpec()));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const written = statSync(path).ino;
    await reconciler.use(sampleSpec());
    expect(statSync(path).ino).toBe(written);
  });

  test("keeps another table for the next boot where it is told so", async () => {
    let mode: GateSpec["mode"] = "observe";
    reconciler = begin({ forBoot: (spec) => ({ ...spec, mode }) });
    await reconciler.start(sampleSpec());
    const kept = () => readFileSync(join(folder, "ruleset.nft"), "utf8");
    expect(kept()).toContain(renderRuleset(sampleSpec({ mode: "observe" })));
    mode = "enforce";
    await reconciler.use(sampleSpec());
    expect(kept()).toContain(renderRuleset(sampleSpec()));
  });

  test("goes on without a place for that text, and says so", async () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "");
    await reconciler.start(sampleSpec());
    expect(diary.warnings[0]).toContain("could not be kept for the next boot");
    expect(diary.reason).toBeUndefined();
  });

  test("keeps grants through another spec, in one transaction", async () => {
    await reconciler.start(sampleSpec());
    await grant("192.0.2.1", 60);
    const before = nft.applied.length;
    await reconciler.use(sampleSpec({ guarded: [port("22/tcp")], defaultDrop: true, mode: "observe" }));
    expect(nft.applied).toHaveLength(before + 1);
    expect(await keys("granted4")).toEqual(["192.0.2.1 . tcp . 22"]);
  });

  test("keeps grants in a set of another size; the longest where it is smaller", async () => {
    await reconciler.start(sampleSpec());
    for (const [host, seconds] of [
      ["192.0.2.1", 10],
      ["192.0.2.2", undefined],
      ["192.0.2.3", 30],
    ] as const)
      await grant(host, seconds);
    await begin().start(sampleSpec({ maxGrants: 2 }));
    expect((await keys("granted4")).sort()).toEqual(["192.0.2.2 . tcp . 22", "192.0.2.3 . tcp . 22"]);
    const listing = await nft.list();
    expect(listing?.sets.get("granted4")?.set?.size).toBe(2);
  });

  test("starts over with what somebody has left in the table", async () => {
    const foreign: NftObject[] = [
      table,
      { kind: "set", name: "granted4", type: ["ipv4_addr"] },
      { kind: "chain", name: "odd" },
    ];
    await change(foreign.reduce((all, object) => all.add(object), new Transaction()));
    await reconciler.start(sampleSpec());
    expect([...((await nft.list())?.chains.keys() ?? [])]).toEqual(["gate"]);
  });

  test("rebuilds the table where it cannot be changed into what is wanted", async () => {
    await reconciler.start(sampleSpec());
    await grant("192.0.2.1", 60);
    let refusals = 0;
    nft.refuse = () => (refusals++ === 0 ? new NftError("busy", "a map of somebody's") : undefined);
    await reconciler.use(sampleSpec({ guarded: [] }));
    expect(
      nft.applied
        .at(-1)
        ?.slice(0, 2)
        .map(({ verb, object }) => `${verb} ${object.kind}`),
    ).toEqual(["add table", "delete table"]);
    expect(await keys("granted4")).toEqual(["192.0.2.1 . tcp . 22"]);
  });

  test("that fails is told, and tried again until it works", async () => {
    nft.refuse = () => new NftError("not-permitted", "no");
    await expect(reconciler.start(sampleSpec())).rejects.toThrow("NET_ADMIN");
    expect(diary.reason).toContain("the table could not be loaded");
    await pass(1);
    nft.refuse = undefined;
    for (let second = 0; second < 8 && diary.reason !== undefined; second++) await pass(1);
    expect(diary.reason).toBeUndefined();
    expect(diary.warnings[0]).toContain("could not be looked after");
  });
});

describe("after a change by others", () => {
  const damages: [string, () => Transaction, string][] = [
    ["the table", () => new Transaction().delete(table), "the table is missing"],
    ["the table, made anew", () => new Transaction().delete(table).add(table), "the table was made anew"],
    ["rules", () => new Transaction().flush({ kind: "chain", name: "gate" }), "the chain gate has other rules"],
    ["a chain", () => new Transaction().delete({ kind: "chain", name: "gate" }), "the chain gate is missing"],
    ["another chain", () => new Transaction().add({ kind: "chain", name: "odd" }), "the chain odd is not ours"],
    [
      "a chain elsewhere",
      () => new Transaction().delete({ kind: "chain", name: "gate" }).add({ kind: "chain", name: "gate" }),
      "the chain gate hangs elsewhere",
    ],
    [
      "another set",
      () => new Transaction().add({ kind: "set", name: "odd", type: ["ipv4_addr"] }),
      "the set odd is not ours",
    ],
    [
      "static elements",
      () => new Transaction().flush({ kind: "set", name: "guarded", type: [] }),
      "the set guarded has other elements",
    ],
    [
      "the granted set",
      () =>
        new Transaction().delete({ kind: "chain", name: "gate" }).delete({ kind: "set", name: "granted4", type: [] }),
      "the set granted4 is missing",
    ],
    [
      "the shape of a set",
      () =>
        new Transaction()
          .delete({ kind: "chain", name: "gate" })
          .delete({ kind: "set", name: "granted4", type: [] })
          .add({ kind: "set", name: "granted4", type: ["ipv4_addr"] }),
      "the set granted4 has another shape",
    ],
    [
      "the counter",
      () =>
        new Transaction().delete({ kind: "chain", name: "gate" }).delete({ kind: "counter", name: "guarded_dropped" }),
      "the counter guarded_dropped is missing",
    ],
  ];
  test.each(damages)("to %s it is put back within a second, with its grants", async (_, damage, difference) => {
    await reconciler.start(sampleSpec());
    await grant("192.0.2.1", 60);
    await change(damage());
    await pass(2);
    expect(diary.drifts).toContain(difference);
    expect(diary.reason).toBeUndefined();
    expect(await keys("granted4")).toEqual(["192.0.2.1 . tcp . 22"]);
    expect(await keys("guarded")).toEqual(["tcp . 22", "tcp . 80", "udp . 53"]);
    expect(revoked).toEqual([]);
  });

  test("a replaced rule is seen, though their number is the same", async () => {
    await reconciler.start(sampleSpec());
    const rules = [...((await nft.list())?.chains.get("gate")?.rules ?? [])];
    const others = new Transaction().flush({ kind: "chain", name: "gate" });
    for (const _ of rules) others.add({ kind: "rule", chain: "gate", expression: rule`return` });
    await change(others);
    await pass(1);
    expect(diary.drifts).toEqual(["the chain gate has other rules"]);
  });

  test("a missing element is a revocation; one that ran out is none", async () => {
    await reconciler.start(sampleSpec());
    const taken = await grant("192.0.2.1", 60);
    await grant("192.0.2.2", 2);
    const forever = await grant("2001:db8::1");
    for (const [digit, { source }] of [
      ["4", taken],
      ["6", forever],
    ] as const) {
      const key = [
        { kind: "address", address: source },
        { kind: "protocol", protocol: "tcp" },
        { kind: "port", port: 22 },
      ] as const;
      await change(new Transaction().delete({ kind: "element", set: `granted${digit}`, key }));
    }
    clock.advance(2000);
    await pass(1);
    expect(revoked).toEqual([taken, forever]);
    expect(diary.drifts).toEqual([]);
  });

  test("to other tables nothing is done; without any it is compared every 30 s", async () => {
    await reconciler.start(sampleSpec());
    const applied = nft.applied.length;
    await pass(40);
    expect(nft.applied.length).toBe(applied);
    expect(diary.syncs).toBe(2);
  });

  test("is found by comparing where nobody can tell of it", async () => {
    nft.knowsGeneration = false;
    await reconciler.start(sampleSpec());
    await change(new Transaction().delete(table));
    await pass(6);
    expect(diary.drifts).toEqual(["the table is missing"]);
    expect(diary.reason).toBeUndefined();
  });

  test("of somebody who undoes each repair at once it is tried every second all the same", async () => {
    await reconciler.start(sampleSpec());
    const run = nft.run.bind(nft);
    nft.run = async (transaction) => {
      await run(transaction);
      await run(new Transaction().delete(table));
    };
    await change(new Transaction().add(table));
    for (const tries of [1, 2, 3, 4, 5, 6]) {
      await pass(1);
      expect(diary.transactions).toHaveLength(1 + tries);
      expect(diary.reason).toContain("somebody else changes it");
    }
  });

  test("a grant that comes upon the damage first mends it", async () => {
    await reconciler.start(sampleSpec());
    await change(new Transaction().delete(table));
    await grant("192.0.2.1", 60);
    expect(diary.drifts).toEqual(["the table is missing"]);
    expect(await keys("granted4")).toEqual(["192.0.2.1 . tcp . 22"]);
  });

  test("own grants are no change by others", async () => {
    await reconciler.start(sampleSpec());
    await pass(1);
    const syncs = diary.syncs;
    await grant("192.0.2.1", 60);
    await pass(2);
    expect(diary.syncs).toBe(syncs);
  });
});

describe("running connections", () => {
  const to = (localPort: number, peerPort: number): Connection => ({ peer: address("192.0.2.9"), peerPort, localPort });

  test("to newly guarded ports are adopted, and let go when they end", async () => {
    connections = [to(22, 5000), to(80, 5001), to(9999, 5002)];
    await reconciler.start(sampleSpec({ guarded: [port("22/tcp")] }));
    expect(await keys("adopted4")).toEqual(["192.0.2.9 . 5000 . 22"]);
    connections.push(to(22, 6000));
    await reconciler.use(sampleSpec());
    expect(await keys("adopted4")).toEqual(["192.0.2.9 . 5000 . 22", "192.0.2.9 . 5001 . 80"]);
    connections = connections.slice(1);
    await pass(4);
    expect(await keys("adopted4")).toEqual(["192.0.2.9 . 5001 . 80"]);
  });

  test("are not adopted again by an agent that starts again", async () => {
    connections = [to(22, 5000)];
    await reconciler.start(sampleSpec());
    connections.push(to(22, 6000));
    const next = begin();
    await next.start(sampleSpec());
    expect(await keys("adopted4")).toEqual(["192.0.2.9 . 5000 . 22"]);
    await change(new Transaction().delete(table));
    await next.use(sampleSpec());
    expect(await keys("adopted4")).toEqual(["192.0.2.9 . 5000 . 22"]);
    await next.close();
  });

  test("that came in while the table was loaded are adopted right after", async () => {
    const early = [to(22, 5000)];
    let reads = 0;
    const racing = new Reconciler({
      nft,
      clock,
      report: diary,
      liveGrants: () => live,
      acceptRevocation: () => undefined,
      connections: () => (reads++ === 0 ? early : [...early, to(22, 5003)]),
    });
    await racing.start(sampleSpec());
    expect(await keys("adopted4")).toEqual(["192.0.2.9 . 5000 . 22", "192.0.2.9 . 5003 . 22"]);
    await racing.close();
  });

  test("that cannot be read are told of, and the gate closes all the same", async () => {
    const blind = new Reconciler({
      nft,
      clock,
      report: diary,
      liveGrants: () => live,
      acceptRevocation: () => undefined,
      connections: () => {
        throw new Error("EACCES");
      },
    });
    await blind.start(sampleSpec());
    expect(diary.warnings[0]).toContain("running connections could not be read");
    expect(diary.reason).toBeUndefined();
    await blind.close();
  });
});
