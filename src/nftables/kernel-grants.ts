import { systemClock } from "../clock.ts";
import type { Grant } from "../grant/grant.ts";
import { grantsOf } from "./grant-element.ts";
import { openNft } from "./open-nft.ts";

/** What the kernel has open, without an agent. Rejects with NftError. */
export async function openKernelGrants(): Promise<readonly Grant[]> {
  const nft = await openNft(() => undefined);
  try {
    return grantsOf(await nft.list(), systemClock.nowMicros());
  } finally {
    nft.close();
  }
}
