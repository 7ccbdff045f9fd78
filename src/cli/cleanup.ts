import { rm } from "node:fs/promises";
import { join } from "node:path";
import { snapshotFileName } from "../config-source/snapshot-file.ts";
import { ControlClient, ControlError } from "../control/control-client.ts";
import { bootFileName } from "../nftables/boot-file.ts";
import { cleanup } from "../nftables/cleanup.ts";
import { openNft } from "../nftables/open-nft.ts";
import type { CleanupArguments, CommandIo, ExitCode } from "./command-io.ts";

/** Removes the table, and with it the guard of every port. Refuses while an agent runs: it would put the table back. */
export async function cleanupCommand(args: CleanupArguments, io: CommandIo): Promise<ExitCode> {
  if (await agentRuns(args.socket)) {
    io.stderr.write(`error: an agent runs and would put the table back: end it first.\n`);
    return 1;
  }
  const nft = await openNft((message) => io.stderr.write(`warning: ${message}\n`));
  try {
    const result = await cleanup(nft);
    // Else a boot unit would guard the ports again, or the next agent policies that nobody wants any more.
    for (const name of [bootFileName, snapshotFileName]) await rm(join(args.stateDir, name), { force: true });
    io.stdout.write(
      result === "removed"
        ? "The table inet knockgate was removed: its ports are guarded no longer.\n"
        : "There is no table inet knockgate: nothing to remove.\n",
    );
    return 0;
  } finally {
    nft.close();
  }
}

async function agentRuns(socket: string): Promise<boolean> {
  try {
    await new ControlClient(socket).grants();
    return true;
  } catch (error) {
    if (error instanceof ControlError && error.code === "no-agent") return false;
    throw error;
  }
}
