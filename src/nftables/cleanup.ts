import type { Nft } from "./nft.ts";
import { isNftError } from "./nft-error.ts";
import { Transaction } from "./transaction.ts";

/** Removes the table: every guarded port is open afterwards. Rejects with NftError. */
export async function cleanup(nft: Nft): Promise<"removed" | "absent"> {
  try {
    await nft.run(new Transaction().delete({ kind: "table" }));
    return "removed";
  } catch (error) {
    if (isNftError(error, "not-found")) return "absent";
    throw error;
  }
}
