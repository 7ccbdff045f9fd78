import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openLibnftables } from "../../src/nftables/libnftables.ts";
import type { Nft, TableListing } from "../../src/nftables/nft.ts";
import { NftError } from "../../src/nftables/nft-error.ts";
import { renderKey, renderTransaction } from "../../src/nftables/render.ts";
import type { Transaction } from "../../src/nftables/transaction.ts";
import { inOwnNamespace } from "../contract/own-namespace.ts";
import { FakeClock } from "../fake/fake-clock.ts";
import { FakeNft } from "../fake/fake-nft.ts";
import { foundation, histories } from "./nft-arbitraries.ts";

/** What must be the same: all but handles, the order of elements, and the words of rules. */
function essence(listing: TableListing | undefined) {
  const sets = [...(listing?.sets ?? [])].map(([name, { set, elements }]) => {
    const lines = elements.map(({ key, timeoutMs, comment }) => `${renderKey(key)} ${timeoutMs} ${comment}`);
    return { name, set, elements: lines.sort() };
  });
  const chains = [...(listing?.chains ?? [])].map(([name, { chain, rules }]) => ({ name, chain, rules: rules.length }));
  return { sets: sets.sort(byName), chains: chains.sort(byName), counters: [...(listing?.counters.keys() ?? [])] };
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}

/** Not why: of a transaction with several faults the kernel may tell another one first. The contract compares codes. */
async function outcome(nft: Nft, transaction: Transaction): Promise<string> {
  return nft.run(transaction).then(
    () => "done",
    (error: unknown) => (error instanceof NftError ? "refused" : String(error)),
  );
}

inOwnNamespace("the fake does what the kernel does", import.meta.url, 58_000, () => {
  let kernel: Nft;
  beforeAll(() => {
    kernel = openLibnftables();
  });
  afterAll(() => kernel.close());

  test("on random transactions, and the renderer says what the parser reads", async () => {
    const property = fc.asyncProperty(histories, async (history) => {
      const fake = new FakeNft(new FakeClock());
      await Promise.all([fake.run(foundation()), kernel.run(foundation())]);
      for (const transaction of history) {
        const text = history.map(renderTransaction).join("----\n");
        expect(await outcome(fake, transaction), text).toBe(await outcome(kernel, transaction));
        expect(essence(await fake.list()), text).toEqual(essence(await kernel.list()));
      }
    });
    await fc.assert(property, { numRuns: 120, interruptAfterTimeLimit: 40_000 });
  }, 50_000);
});
