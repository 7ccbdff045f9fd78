import { beforeEach, describe, expect, test } from "vitest";
import type { GrantChange } from "../../../src/grant/grant.ts";
import { KernelGate } from "../../../src/nftables/gate.ts";
import { Kernel } from "../../../src/nftables/kernel.ts";
import { NftError } from "../../../src/nftables/nft-error.ts";
import { rulesetOf } from "../../../src/nftables/ruleset.ts";
import { planLoad } from "../../../src/nftables/table-plan.ts";
import { Transaction } from "../../../src/nftables/transaction.ts";
import { formatAddress } from "../../../src/policy/address.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { FakeNft } from "../../fake/fake-nft.ts";
import { address, port, sampleSpec } from "../../fixture/ruleset-spec.ts";
import { GateDiary } from "./gate-diary.ts";

let clock: FakeClock;
let nft: FakeNft;
let diary: GateDiary;
let gate: KernelGate;
let mends: number;

beforeEach(async () => {
  clock = new FakeClock();
  nft = new FakeNft(clock);
  diary = new GateDiary();
  mends = 0;
  const kernel = new Kernel({ nft, clock, report: diary });
  const load = () => nft.run(planLoad(undefined, rulesetOf(sampleSpec({ maxGrants: 4 })), []));
  gate = new KernelGate({
    kernel,
    clock,
    mend: async () => {
      mends++;
      await load();
    },
  });
  await load();
});

const open = (host: string, seconds?: number, policies = ["0123abcd"]): GrantChange => ({
  kind: "open",
  grant: {
    source: address(host),
    port: port("22/tcp"),
    policies,
    deadlineMicros: seconds === undefined ? undefined : clock.nowMicros() + seconds * 1e6,
  },
});
const close = (host: string): GrantChange => ({ kind: "close", source: address(host), port: port("22/tcp") });
const kinds = async (changes: GrantChange[]) =>
  (await gate.commit(changes)).map((result) => (result.kind === "done" ? "done" : result.reason));
const opened = async () => (await gate.listGrants()).map(({ source }) => formatAddress(source)).sort();

describe("a commit", () => {
  test("opens with the time left and the policies, and lists them again", async () => {
    expect(await kinds([open("192.0.2.1", 30), open("2001:db8::1")])).toEqual(["done", "done"]);
    clock.advance(10_000);
    const grants = await gate.listGrants();
    const left = grants.map(
      ({ deadlineMicros }) => deadlineMicros && Math.round((deadlineMicros - clock.nowMicros()) / 1e6),
    );
    expect(left).toEqual([20, undefined]);
    expect(grants[0]?.policies).toEqual(["0123abcd"]);
  });

  test("renews, whatever the kernel makes of an add", async () => {
    await gate.commit([open("192.0.2.1", 30, ["0123abcd"])]);
    await gate.commit([open("192.0.2.1", 60, ["0123abcd", "deadbeef"])]);
    const [grant] = await gate.listGrants();
    expect(grant?.policies).toEqual(["0123abcd", "deadbeef"]);
    expect(Math.round(((grant?.deadlineMicros ?? 0) - clock.nowMicros()) / 1e6)).toBe(60);
  });

  test("writes no more policies than a comment holds", async () => {
    const many = Array.from({ length: 20 }, (_, at) => at.toString(16).padStart(8, "0"));
    await gate.commit([open("192.0.2.1", 30, many)]);
    expect((await gate.listGrants())[0]?.policies).toEqual(many.slice(0, 14));
    await gate.commit([open("192.0.2.2", 30, [])]);
    expect((await gate.listGrants())[1]?.policies).toEqual([]);
  });

  test("writes down what KnockGrants hold first, and as many as a comment holds", async () => {
    const many = Array.from({ length: 20 }, (_, at) => at.toString(16).padStart(8, "0"));
    await gate.commit([open("192.0.2.1", 30, [...many, ...many.map((id) => `${id}k`)])]);
    const marked = many.slice(0, 12).map((id) => `${id}k`);
    expect((await gate.listGrants())[0]?.policies).toEqual(marked);
    await gate.commit([open("192.0.2.1", 30, ["0123abcd", "deadbeefk"])]);
    expect((await gate.listGrants())[0]?.policies).toEqual(["deadbeefk", "0123abcd"]);
  });

  test("closes what is there and what is not", async () => {
    await gate.commit([open("192.0.2.1")]);
    expect(await kinds([close("192.0.2.1"), close("192.0.2.9")])).toEqual(["done", "done"]);
    expect(await opened()).toEqual([]);
  });

  test("closes a door whose time is over already", async () => {
    await gate.commit([open("192.0.2.1")]);
    expect(await kinds([open("192.0.2.1", 0)])).toEqual(["done"]);
    expect(await opened()).toEqual([]);
  });

  test("carries out the last of several changes to one door", async () => {
    expect(await kinds([open("192.0.2.1"), close("192.0.2.1"), open("192.0.2.1", 5)])).toEqual([
      "done",
      "done",
      "done",
    ]);
    expect(await opened()).toEqual(["192.0.2.1"]);
  });

  test("shares its transaction with the others that wait", async () => {
    const before = nft.applied.length;
    await Promise.all([gate.commit([open("192.0.2.1")]), gate.commit([open("192.0.2.2")])]);
    expect(nft.applied.length).toBe(before + 1);
  });
});

describe("a commit that fails", () => {
  const hosts = (count: number, first = 1) => Array.from({ length: count }, (_, at) => `192.0.2.${at + first}`);

  test.each([3, 6, 40])("fills the set and refuses only what is beyond, of %d", async (count) => {
    await gate.commit([open("192.0.2.200")]);
    const results = await kinds([
      ...hosts(count).map((host) => open(host)),
      open("2001:db8::1"),
      open("192.0.2.200", 60),
    ]);
    const expected = hosts(count).map((_, at) => (at < 3 ? "done" : "set-full"));
    expect(results).toEqual([...expected, "done", "done"]);
    expect(await opened()).toHaveLength(5);
  });

  test("closes what is not there also in a full set", async () => {
    await gate.commit(hosts(4).map((host) => open(host)));
    expect(await kinds([close("192.0.2.9")])).toEqual(["done"]);
    expect(await kinds([...hosts(9, 50).map(close), close("192.0.2.1")])).toEqual(Array(10).fill("done"));
    expect(await opened()).toEqual(hosts(3, 2));
  });

  test("costs only the one bad change", async () => {
    const bad = open("192.0.2.3", 30, ["not a policy;"]);
    const results = await gate.commit([open("192.0.2.1"), open("192.0.2.2"), bad, open("192.0.2.4")]);
    expect(results.map(({ kind }) => kind)).toEqual(["done", "done", "refused", "done"]);
    expect(results[2]).toMatchObject({ reason: "kernel-error" });
  });

  test("is not split where all would fail alike", async () => {
    nft.refuse = () => new NftError("not-permitted", "no");
    expect(await kinds([open("192.0.2.1"), close("192.0.2.2")])).toEqual(["not-permitted", "not-permitted"]);
    expect(diary.transactions).toEqual(["failed"]);
  });

  test("tells a close that the kernel refuses", async () => {
    nft.refuse = () => new NftError("failed", "no");
    expect(await kinds([close("192.0.2.1")])).toEqual(["kernel-error"]);
  });

  test("mends a table that has gone, and goes through", async () => {
    await nft.run(new Transaction().delete({ kind: "table" }));
    expect(await kinds([open("192.0.2.1")])).toEqual(["done"]);
    expect(mends).toBe(1);
  });

  test("is refused where the table cannot be mended", async () => {
    const broken = new KernelGate({
      kernel: new Kernel({ nft, clock, report: diary }),
      clock,
      mend: () => Promise.reject(new Error("no")),
    });
    await nft.run(new Transaction().delete({ kind: "table" }));
    expect(await broken.commit([open("192.0.2.1")])).toMatchObject([{ kind: "refused", reason: "kernel-error" }]);
    expect(await broken.listGrants()).toEqual([]);
  });
});
