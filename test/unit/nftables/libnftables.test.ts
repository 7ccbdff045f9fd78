import { describe, expect, test } from "vitest";
import { openGeneration, parseGeneration } from "../../../src/nftables/generation.ts";
import { openKernelGrants } from "../../../src/nftables/kernel-grants.ts";
import { openLibnftables } from "../../../src/nftables/libnftables.ts";
import type { Nft } from "../../../src/nftables/nft.ts";
import { NftError } from "../../../src/nftables/nft-error.ts";
import { Transaction } from "../../../src/nftables/transaction.ts";
import { port } from "../../fixture/ruleset-spec.ts";

// Only reads and dry runs: what is written is proven by the contract, in a namespace of its own. Without root, or without
// the library, the same calls must tell so.
const excuses = ["not-permitted", "no-nft"];

async function outcome(work: (nft: Nft) => Promise<unknown>): Promise<string> {
  try {
    const nft = openLibnftables();
    await work(nft).finally(() => nft.close());
    return "done";
  } catch (error) {
    return error instanceof NftError ? error.code : String(error);
  }
}

describe("the library", () => {
  test("that is not there is told", () => {
    expect(() => openLibnftables("libnowhere.so.1")).toThrow("libnowhere.so.1 cannot be loaded");
  });

  test("lists and tries", async () => {
    expect(["done", ...excuses]).toContain(await outcome((nft) => nft.list()));
    const table = new Transaction().add({ kind: "table" });
    expect(["done", ...excuses]).toContain(await outcome((nft) => nft.check(table)));
    expect(await outcome((nft) => nft.run(new Transaction()))).toMatch(/done|no-nft/);
    expect(await outcome((nft) => nft.generation())).toMatch(/done|no-nft/);
  });

  test("tries what is long outside the event loop's thread", async () => {
    const long = new Transaction().add({ kind: "table" });
    const set = { kind: "set", name: "long", type: ["inet_proto", "inet_service"] } as const;
    long.add(set);
    for (let at = 1; at < 3000; at++) {
      const { protocol, port: number } = port(`${at}/tcp`);
      const key = [{ kind: "protocol", protocol } as const, { kind: "port", port: number } as const];
      long.add({ kind: "element", set: "long", key });
    }
    expect(["done", ...excuses]).toContain(await outcome((nft) => nft.check(long)));
  });

  test("refuses with a code, again and again", async () => {
    const missing = new Transaction().delete({ kind: "counter", name: "nowhere" });
    const twice = (nft: Nft) => nft.check(missing).catch(() => nft.check(missing));
    expect(["not-found", ...excuses]).toContain(await outcome(twice));
  });

  test("does nothing after it was closed", async () => {
    const closed = (nft: Nft) => {
      nft.close();
      return nft.list();
    };
    expect(await outcome(closed)).toBe("no-nft");
  });
});

test("grants of a kernel without an agent are listed, or it is said why not", async () => {
  const grants = await openKernelGrants().catch((error: NftError) => error.code);
  expect(Array.isArray(grants) || excuses.includes(grants as string)).toBe(true);
});

describe("the generation", () => {
  const header = "3000000000000000000000000000000000000000";

  test("is a number that stays while nothing changes", () => {
    const generation = openGeneration();
    const first = generation?.read();
    expect(first === undefined || first > 0).toBe(true);
    generation?.close();
    generation?.close();
    expect(generation?.read()).toBeUndefined();
  });

  const message = (attributes: string) => {
    const bytes = Buffer.from(header + attributes, "hex");
    bytes.writeUInt16LE((10 << 8) | 15, 4);
    return bytes;
  };

  test.each([
    ["the first attribute", message("0800010000000009"), 9],
    ["a later one", message("0600020041420000" + "080001000000000a"), 10],
    ["no attribute", message(""), undefined],
    ["an attribute without a length", message("0000010000000009"), undefined],
    ["an error", Buffer.from("24000000020000000000000000000000ffffffff", "hex"), undefined],
    ["too little", Buffer.alloc(3), undefined],
  ])("is read from %s", (_, bytes, expected) => {
    expect(parseGeneration(bytes)).toBe(expected);
  });
});
