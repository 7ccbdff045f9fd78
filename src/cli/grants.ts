import { systemClock } from "../clock.ts";
import type { GrantRow } from "../control/control-api.ts";
import { ControlClient, ControlError } from "../control/control-client.ts";
import { byHand } from "../grant/grant.ts";
import { policyOfHold } from "../grant/hold.ts";
import { openKernelGrants } from "../nftables/kernel-grants.ts";
import { formatAddress } from "../policy/address.ts";
import { formatPort } from "../policy/port.ts";
import type { CommandIo, ExitCode, GrantsArguments } from "./command-io.ts";
import { formatTable } from "./table.ts";

/** Prints what is open now: from the agent, or from the kernel where none runs. */
export async function grantsCommand(args: GrantsArguments, io: CommandIo): Promise<ExitCode> {
  const rows = await askAgent(args.socket, io);
  if (args.output === "json") io.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else io.stdout.write(formatTable(["SOURCE", "PORT", "SEQUENCE", "LEFT"], rows.map(cells)));
  return 0;
}

async function askAgent(socket: string, io: CommandIo): Promise<readonly GrantRow[]> {
  try {
    return await new ControlClient(socket).grants();
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== "no-agent") throw error;
    io.stderr.write(`No agent answers on ${socket}: asking the kernel, which knows sequences by their short ids.\n`);
    return readKernel();
  }
}

async function readKernel(): Promise<readonly GrantRow[]> {
  const grants = await openKernelGrants();
  return grants.map(({ source, port, policies, deadlineMicros }) => ({
    source: formatAddress(source),
    port: formatPort(port),
    sequences: [...new Set(policies.map(policyOfHold))],
    leftSeconds: deadlineMicros === undefined ? null : Math.max(0, (deadlineMicros - systemClock.nowMicros()) / 1e6),
  }));
}

function cells(row: GrantRow): string[] {
  const left = row.leftSeconds === null ? "until closed" : `${Math.ceil(row.leftSeconds)}s`;
  return [row.source, row.port, row.sequences.length === 0 ? byHand : row.sequences.join(","), left];
}
