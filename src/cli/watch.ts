import { systemClock } from "../clock.ts";
import { ControlClient } from "../control/control-client.ts";
import { Deadline } from "../kubernetes/deadline.ts";
import type { WatchEvent } from "../observability/watch-hub.ts";
import { formatAddress } from "../policy/address.ts";
import type { CommandIo, ExitCode, WatchArguments } from "./command-io.ts";
import { describeEvent } from "./watch-line.ts";

/** Shows live what every knock does to its source's progress, until interrupted, or as long as was asked for; 1 when the agent goes away. */
export async function watchCommand(args: WatchArguments, io: CommandIo): Promise<ExitCode> {
  const source = args.source && formatAddress(args.source);
  const called = args.untilEof ? AbortSignal.any([io.interrupted, io.inputEnded]) : io.interrupted;
  const deadline = new Deadline(systemClock, called);
  if (args.forMs !== undefined) deadline.within(args.forMs);
  try {
    const events = new ControlClient(args.socket).watch(source, deadline.signal);
    if (io.stderr.isTty) io.stderr.write(`Watching ${source ?? "every source"}; Ctrl-C ends it.\n`);
    for await (const event of events) {
      if (args.output === "json") io.stdout.write(`${JSON.stringify(event)}\n`);
      else if (event.kind !== "watching") io.stdout.write(`${describeEvent(event as unknown as WatchEvent)}\n`);
    }
    return 0;
  } finally {
    deadline.close();
  }
}
