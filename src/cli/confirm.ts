import type { ConfirmAnswer } from "../control/control-api.ts";
import { ControlClient } from "../control/control-client.ts";
import type { CommandIo, ConfirmArguments, ExitCode } from "./command-io.ts";

const sentences: Readonly<Record<ConfirmAnswer["before"], string>> = {
  asked: "Confirmed: guarded ports stay closed.",
  lapsed: "Confirmed: guarded ports are closed again.",
  confirmed: "It was confirmed before: guarded ports stay closed.",
  "not-asked": "Nothing was to be confirmed: the agent enforces nothing, or runs without --confirm-within.",
};

/** Tells the agent that whoever calls this gets in, so that it goes on enforcing. */
export async function confirmCommand(args: ConfirmArguments, io: CommandIo): Promise<ExitCode> {
  const { before } = await new ControlClient(args.socket).confirm();
  io.stdout.write(`${sentences[before]}\n`);
  return 0;
}
