import { ControlClient } from "../control/control-client.ts";
import type { WatchEvent, WatchEventKind } from "../observability/watch-hub.ts";
import { formatAddress } from "../policy/address.ts";
import type { CommandIo, ExitCode, WatchArguments } from "./command-io.ts";

/** What each event means to somebody who asks why a knock did not work. */
const meanings: Readonly<Record<WatchEventKind, string>> = {
  advanced: "right step",
  repeated: "the same step again, or a retransmission: no harm",
  completed: "all steps done",
  reset: "start again with the first step",
  expired: "too slow: the time for the whole sequence has run out",
  ignored: "not counted",
  "grant-added": "the door is open",
  "grant-renewed": "the door stays open for longer",
  "grant-shortened": "the door will close earlier",
  "grant-revoked": "the door was closed",
  "grant-expired": "the door's time has run out",
  "grant-refused": "the knock was right, but the door stays closed",
  "grant-failed": "the knock was right, but the kernel did not take the grant",
  dropped: "more events than can be shown",
};

/** Shows live what every knock does to its source's progress, until interrupted; 1 when the agent goes away. */
export async function watchCommand(args: WatchArguments, io: CommandIo): Promise<ExitCode> {
  const source = args.source && formatAddress(args.source);
  const events = new ControlClient(args.socket).watch(source, io.interrupted);
  if (io.stderr.isTty) io.stderr.write(`Watching ${source ?? "every source"}; Ctrl-C ends it.\n`);
  for await (const event of events) io.stdout.write(`${describe(event as unknown as WatchEvent)}\n`);
  return 0;
}

/** One line for one event: time, source, sequence, how far, what it means. Tabs between, so that `cut` works. */
function describe(event: WatchEvent): string {
  const step = event.steps === undefined ? "" : `${event.step ?? 0}/${event.steps}`;
  const sequence = `${event.policy ?? "-"}${event.closing ? " (closing)" : ""}`;
  const meaning = meanings[event.kind];
  const detail = [
    ...(event.ports ?? []),
    event.until === undefined ? "" : `until ${event.until}`,
    event.reason ?? "",
    event.count === undefined ? "" : String(event.count),
  ].filter((text) => text !== "");
  const after = detail.length === 0 ? "" : ` (${detail.join(", ")})`;
  return [event.time ?? "", event.source ?? "-", sequence, event.kind, step, `${meaning}${after}`].join("\t");
}
