import type { Clock } from "../clock.ts";
import { openLibnftables } from "./libnftables.ts";
import type { Nft } from "./nft.ts";
import { openNftCommand } from "./nft-command.ts";
import { isNftError, mayPass, NftError } from "./nft-error.ts";
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

/** Who waits for nftables to answer, and what he hears. */
export interface NftWait {
  readonly clock: Clock;
  /** Ends the wait. */
  readonly ending: AbortSignal;
  readonly warned: (message: string) => void;
  /** Called after each try in vain. */
  readonly failed: (reason: string) => void;
}

const firstDelayMs = 500;
const longestDelayMs = 30_000;

/**
 * Opens nftables like openNft, and goes on trying, ever more seldom, while it fails in a way that may pass. Resolves to
 * undefined when the wait was ended; rejects with NftError where only a person can help.
 */
export async function openNftPatiently(wait: NftWait, open: typeof openNft = openNft): Promise<Nft | undefined> {
  for (let delayMs = firstDelayMs; !wait.ending.aborted; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await open(wait.warned);
    } catch (error) {
      if (!mayPass(error)) throw error;
      wait.failed(error.message);
    }
    await pause(wait, delayMs);
  }
  return undefined;
}

function pause({ clock, ending }: NftWait, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      ending.removeEventListener("abort", end);
      resolve();
    };
    const timer = clock.after(delayMs, end);
    ending.addEventListener("abort", end);
  });
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
