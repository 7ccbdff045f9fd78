import { type RunProgram, runProgram } from "./program.ts";

/**
 * The version of the `nft` program, for people and metrics; `unknown` where there is none: libnftables does not tell its own.
 *
 *     nftables v1.0.6 (Lester Gooch #5)
 */
export async function nftVersion(run: RunProgram = runProgram): Promise<string> {
  const { stdout } = await run("nft", ["--version"], "");
  return /\bv(\d+(?:\.\d+)+)/.exec(stdout)?.[1] ?? "unknown";
}
