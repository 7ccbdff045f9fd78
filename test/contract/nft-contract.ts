import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Nft, TableListing } from "../../src/nftables/nft.ts";
import type { NftErrorCode } from "../../src/nftables/nft-error.ts";
import { type NftChain, type NftElement, type NftRule, type NftSet, rule } from "../../src/nftables/objects.ts";
import { renderKey } from "../../src/nftables/render.ts";
import { rulesetOf } from "../../src/nftables/ruleset.ts";
import { planLoad } from "../../src/nftables/table-plan.ts";
import { Transaction } from "../../src/nftables/transaction.ts";
import { parseAddress } from "../../src/policy/address.ts";
import { sampleSpec } from "../fixture/ruleset-spec.ts";

/** One implementation, and how time passes for it. */
export interface Subject {
  readonly nft: Nft;
  elapse(ms: number): Promise<void>;
}

const table = { kind: "table" } as const;
const small: NftSet = {
  kind: "set",
  name: "small",
  type: ["ipv4_addr", "inet_proto", "inet_service"],
  timeout: true,
  size: 3,
};
const ranges: NftSet = { kind: "set", name: "ranges", type: ["ipv4_addr"], interval: true, autoMerge: true };
const strict: NftSet = { kind: "set", name: "strict", type: ["ipv6_addr"], interval: true };
const chain: NftChain = { kind: "chain", name: "gate", hook: { name: "prerouting", priority: -160 } };
const counter = { kind: "counter", name: "dropped" } as const;
const usesSmall: NftRule = {
  kind: "rule",
  chain: "gate",
  expression: rule`ip saddr . meta l4proto . th dport @small return`,
};

function door(host: number, more: Partial<NftElement> = {}): NftElement {
  const address = Uint32Array.of(0, 0, 0xffff, 0xc0000200 + host);
  return {
    kind: "element",
    set: "small",
    key: [
      { kind: "address", address },
      { kind: "protocol", protocol: "tcp" },
      { kind: "port", port: 22 },
    ],
    ...more,
  };
}

function range(set: string, first: string, last: string): NftElement {
  const parts = [parseAddress(first), parseAddress(last)];
  if (parts[0] === undefined || parts[1] === undefined) throw new Error("not an address");
  return { kind: "element", set, key: [{ kind: "range", first: parts[0], last: parts[1] }] };
}

const begin = () => new Transaction().add(table).add(small).add(ranges).add(strict).add(counter).add(chain);

function keys(listing: TableListing | undefined, set: string): string[] {
  return (listing?.sets.get(set)?.elements ?? []).map(({ key }) => renderKey(key)).sort();
}

/** What every way to nftables does. Whatever only one of them passes is a defect. */
export function nftContract(open: () => Promise<Subject>): void {
  let subject: Subject;
  let nft: Nft;
  beforeEach(async () => {
    subject = await open();
    nft = subject.nft;
    await nft.run(new Transaction().destroy(table));
  });
  afterEach(() => nft.close());

  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "ok",
      (error: { code?: NftErrorCode }) => error.code,
    );

  describe("listing", () => {
    test("tells that there is no table", async () => {
      expect(await nft.list()).toBeUndefined();
    });

    test("tells shapes, hooks, rules and counters", async () => {
      await nft.run(begin().add(usesSmall).add(usesSmall));
      const listing = await nft.list();
      expect(listing?.dormant).toBe(false);
      expect([...(listing?.sets.values() ?? [])].map(({ set }) => set)).toEqual([small, ranges, strict]);
      expect(listing?.chains.get("gate")?.chain).toEqual(chain);
      expect(listing?.chains.get("gate")?.rules).toHaveLength(2);
      expect(listing?.counters.get("dropped")).toEqual({ packets: 0, bytes: 0 });
    });

    test("tells one counter alone, and nothing where there is none", async () => {
      expect(await nft.counter("dropped")).toBeUndefined();
      await nft.run(begin());
      expect(await nft.counter("dropped")).toEqual({ packets: 0, bytes: 0 });
      expect(await nft.counter("other")).toBeUndefined();
    });

    test("tells an element's key, time and comment", async () => {
      await nft.run(
        begin()
          .add(door(1, { timeoutMs: 90_061_500, comment: "0123abcd,deadbeef" }))
          .add(door(2)),
      );
      const elements = (await nft.list())?.sets.get("small")?.elements ?? [];
      const [first, second] = elements.toSorted((one, other) => renderKey(one.key).localeCompare(renderKey(other.key)));
      expect(first).toMatchObject({ timeoutMs: 90_061_500, comment: "0123abcd,deadbeef" });
      expect(first?.expiresMs).toBeGreaterThan(90_050_000);
      expect(second).toEqual(door(2));
    });

    test("joins ranges where the set merges", async () => {
      await nft.run(
        begin()
          .add(range("ranges", "10.0.0.0", "10.0.0.255"))
          .add(range("ranges", "10.0.1.0", "10.0.1.9")),
      );
      await nft.run(new Transaction().add(range("strict", "2001:db8::", "2001:db8::ffff")));
      const listing = await nft.list();
      expect(keys(listing, "ranges")).toEqual(["10.0.0.0-10.0.1.9"]);
      expect(keys(listing, "strict")).toEqual(["2001:db8::/112"]);
    });

    test("tells a set that was made anew by its handle", async () => {
      await nft.run(begin());
      const before = await nft.list();
      await nft.run(new Transaction().delete(small).add(small));
      const after = await nft.list();
      expect(after?.sets.get("small")?.handle).not.toBe(before?.sets.get("small")?.handle);
      expect(after?.handle).toBe(before?.handle);
      await nft.run(new Transaction().delete(table).add(table));
      expect((await nft.list())?.handle).not.toBe(before?.handle);
    });
  });

  describe("refusals", () => {
    const cases: [string, NftErrorCode, () => Transaction][] = [
      [
        "a set beyond its bound",
        "set-full",
        () => [1, 2, 3, 4].reduce((all, host) => all.add(door(host)), new Transaction()),
      ],
      ["creating an element that is there", "exists", () => new Transaction().add(door(1)).create(door(1))],
      ["creating the table again", "exists", () => new Transaction().create(table)],
      [
        "a set of another type under its name",
        "exists",
        () => new Transaction().add({ ...small, type: ["ipv4_addr"] }),
      ],
      ["deleting an element that is not there", "not-found", () => new Transaction().delete(door(9))],
      ["deleting a set that is not there", "not-found", () => new Transaction().delete({ ...small, name: "none" })],
      ["an element of no set", "not-found", () => new Transaction().add(door(1, { set: "none" }))],
      ["a rule in no chain", "not-found", () => new Transaction().add({ ...usesSmall, chain: "none" })],
      [
        "a rule about no set",
        "not-found",
        () => new Transaction().add({ ...usesSmall, expression: rule`ip saddr @none return` }),
      ],
      ["deleting a set that a rule names", "busy", () => new Transaction().add(usesSmall).delete(small)],
      [
        "deleting a counter that a rule names",
        "busy",
        () => new Transaction().add({ ...usesSmall, expression: rule`counter name dropped drop` }).delete(counter),
      ],
    ];
    test.each(cases)("%s", async (_, expected, transaction) => {
      await nft.run(begin());
      expect(await code(nft.run(new Transaction().append(transaction())))).toBe(expected);
    });

    test("a timeout in a set without", async () => {
      await nft.run(begin().add({ ...ranges, name: "plain", interval: false, autoMerge: false }));
      const element: NftElement = { ...range("plain", "10.0.0.1", "10.0.0.1"), timeoutMs: 5 };
      expect(await code(nft.run(new Transaction().add(element)))).toBe("invalid");
    });

    test("overlapping ranges where the set does not merge", async () => {
      await nft.run(begin().add(range("strict", "2001:db8::", "2001:db8::ffff")));
      expect(await code(nft.run(new Transaction().add(range("strict", "2001:db8::ff", "2001:db8::1:0"))))).toBe(
        "invalid",
      );
    });

    test("a value that must not reach the renderer comes out at the run", async () => {
      const bad = begin()
        .add(door(1, { comment: 'x" ; flush ruleset' }))
        .add(door(2));
      await expect(nft.run(bad)).rejects.toThrow("its comment is not plain text");
      expect(await nft.list()).toBeUndefined();
    });
  });

  describe("transactions", () => {
    test("change nothing when one operation fails", async () => {
      await nft.run(begin().add(door(1)));
      expect(await code(nft.run(new Transaction().delete(door(1)).add(door(2)).delete(door(9))))).toBe("not-found");
      expect(keys(await nft.list(), "small")).toEqual(["192.0.2.1 . tcp . 22"]);
    });

    test("are only tried by check", async () => {
      await nft.run(begin().add(door(1)));
      await nft.check(new Transaction().add(door(2)));
      expect(await code(nft.check(new Transaction().add(door(2)).add(door(3)).add(door(4))))).toBe("set-full");
      expect(keys(await nft.list(), "small")).toEqual(["192.0.2.1 . tcp . 22"]);
    });

    test("leave the generation alone when there is nothing in them", async () => {
      const before = await nft.generation();
      await nft.run(new Transaction());
      expect(await nft.generation()).toBe(before);
    });

    test("count the generation by one; refused and tried ones do not", async () => {
      await nft.run(begin());
      const before = (await nft.generation()) ?? Number.NaN;
      await nft.run(new Transaction().add(door(1)).add(door(2)));
      await nft.check(new Transaction().add(door(3)));
      await code(nft.run(new Transaction().delete(door(9))));
      expect(await nft.generation()).toBe(before + 1);
    });

    test("renew by add, delete, add, also in a full set", async () => {
      await nft.run(
        begin()
          .add(door(1, { timeoutMs: 5000, comment: "aaaaaaaa" }))
          .add(door(2))
          .add(door(3)),
      );
      await nft.run(
        new Transaction()
          .add(door(1))
          .delete(door(1))
          .add(door(1, { timeoutMs: 60_000, comment: "bbbbbbbb" })),
      );
      const element = (await nft.list())?.sets.get("small")?.elements.find(({ comment }) => comment !== undefined);
      expect(element).toMatchObject({ timeoutMs: 60_000, comment: "bbbbbbbb" });
      expect(element?.expiresMs).toBeGreaterThan(50_000);
    });

    test("may take out and put in as many as there is room for", async () => {
      await nft.run(begin().add(door(1)).add(door(2)).add(door(3)));
      await nft.run(new Transaction().delete(door(1)).delete(door(2)).add(door(4)).add(door(5)));
      expect(keys(await nft.list(), "small")).toEqual([
        "192.0.2.3 . tcp . 22",
        "192.0.2.4 . tcp . 22",
        "192.0.2.5 . tcp . 22",
      ]);
    });

    test("put inserted rules first, and flush a chain and a set", async () => {
      const first: NftRule = { ...usesSmall, expression: rule`tcp dport 1 return` };
      await nft.run(begin().add(door(1)).add(usesSmall).insert(first));
      expect((await nft.list())?.chains.get("gate")?.rules[0]).toContain("tcp dport 1");
      await nft.run(new Transaction().flush(chain).flush(small));
      const listing = await nft.list();
      expect(listing?.chains.get("gate")?.rules).toEqual([]);
      expect(keys(listing, "small")).toEqual([]);
    });

    test("delete a chain with its rules, and a set that no rule names any more", async () => {
      await nft.run(begin().add(usesSmall));
      await nft.run(new Transaction().delete(chain).delete(small));
      const listing = await nft.list();
      expect(listing?.chains.size).toBe(0);
      expect(listing?.sets.has("small")).toBe(false);
    });

    test("asked for at the same time are carried out one after the other", async () => {
      await nft.run(begin());
      await Promise.all([1, 2, 3].map((host) => nft.run(new Transaction().add(door(host)))));
      expect(keys(await nft.list(), "small")).toHaveLength(3);
    });

    test("load a whole ruleset, and load it again over itself", async () => {
      for (const spec of [
        sampleSpec(),
        sampleSpec({ defaultDrop: true, closedAs: "refused" }),
        sampleSpec({ mode: "observe" }),
      ]) {
        const ruleset = rulesetOf(spec);
        await nft.run(planLoad(await nft.list(), ruleset, []));
        await nft.run(planLoad(await nft.list(), ruleset, []));
        const listing = await nft.list();
        expect([...(listing?.sets.keys() ?? [])].sort()).toEqual(ruleset.sets.map(({ name }) => name).sort());
        const listed = [...(listing?.chains.values() ?? [])].flatMap(({ rules }) => rules);
        expect(listed).toHaveLength(ruleset.rules.length);
      }
    });
  });

  describe("time", () => {
    test("takes an element away, and makes room", async () => {
      await nft.run(
        begin()
          .add(door(1, { timeoutMs: 200 }))
          .add(door(2))
          .add(door(3)),
      );
      await subject.elapse(2600); // the kernel collects what has run out about once a second
      expect(keys(await nft.list(), "small")).toEqual(["192.0.2.2 . tcp . 22", "192.0.2.3 . tcp . 22"]);
      await nft.run(new Transaction().add(door(4)));
    });
  });
}
