import { openLibnftables } from "./libnftables.ts";
import type { Nft } from "./nft.ts";
import { openNftCommand } from "./nft-command.ts";
import { isNftError, NftError } from "./nft-error.ts";
import { tableFamily, tableName } from "./objects.ts";
import { Transaction } from "./transaction.ts";

/** What can be tried, in this order. */
export interface NftMeans {
  readonly library: () => Nft;
  readonly program: () => Promise<Nft>;
}

/**
 * Opens nftables by the library, or by the program where that cannot be loaded; `warned` is told of the second choice.
 * Rejects with one NftError that says what to do: install nftables, grant NET_ADMIN, use a kernel that can.
 */
export async function openNft(
  warned: (message: string) => void,
  means: NftMeans = { library: openLibnftables, program: openNftCommand },
): Promise<Nft> {
  const nft = await firstOf(means, warned);
  try {
    await nft.check(new Transaction().add({ kind: "table" }));
    return nft;
  } catch (error) {
    nft.close();
    if (isNftError(error, "not-permitted")) {
      throw new NftError(
        "not-permitted",
        `run it as root, or add NET_ADMIN, to write the table ${tableFamily} ${tableName}`,
        { cause: error },
      );
    }
    throw error;
  }
}

async function firstOf(means: NftMeans, warned: (message: string) => void): Promise<Nft> {
  try {
    return means.library();
  } catch (error) {
    if (!isNftError(error, "no-nft")) throw error;
    const nft = await means.program();
    warned(
      `libnftables.so.1 cannot be loaded, so each change of the ruleset starts the program nft; install libnftables1 to be quicker`,
    );
    return nft;
  }
}
