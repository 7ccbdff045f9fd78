import { ControlClient } from "../control/control-client.ts";
import { formatAddress } from "../policy/address.ts";
import type { CommandIo, ExitCode, RevokeArguments } from "./command-io.ts";

/** Closes what a source has open; 1 where it had nothing open. */
export async function revokeCommand(args: RevokeArguments, io: CommandIo): Promise<ExitCode> {
  const source = formatAddress(args.source);
  const body = args.sequence === undefined ? { source } : { source, sequence: args.sequence };
  const closed = await new ControlClient(args.socket).revoke(body);
  if (closed > 0) {
    io.stdout.write(`${closed === 1 ? "1 port was" : `${closed} ports were`} closed for ${source}.\n`);
    return 0;
  }
  const which = args.sequence === undefined ? "nothing" : `nothing by ${args.sequence}`;
  io.stderr.write(`${source} has ${which} open: knockgate grants lists what is.\n`);
  return 1;
}
