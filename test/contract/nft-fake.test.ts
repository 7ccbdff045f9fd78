import { describe } from "vitest";
import { FakeClock } from "../fake/fake-clock.ts";
import { FakeNft } from "../fake/fake-nft.ts";
import { nftContract } from "./nft-contract.ts";

describe("the fake keeps the nft contract", () => {
  nftContract(async () => {
    const clock = new FakeClock();
    return { nft: new FakeNft(clock), elapse: async (ms) => clock.advance(ms) };
  });
});
