import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "vitest";
import { openLibnftables } from "../../src/nftables/libnftables.ts";
import { openNftCommand } from "../../src/nftables/nft-command.ts";
import { nftContract } from "./nft-contract.ts";
import { inOwnNamespace } from "./own-namespace.ts";

inOwnNamespace("the kernel keeps the nft contract", import.meta.url, 60_000, () => {
  describe("through libnftables", () => {
    nftContract(async () => ({ nft: openLibnftables(), elapse: async (ms) => void (await sleep(ms)) }));
  });

  describe("through the program nft", () => {
    nftContract(async () => ({ nft: await openNftCommand(), elapse: async (ms) => void (await sleep(ms)) }));
  });
});
