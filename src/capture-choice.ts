import { InputFeed } from "./capture/input-feed.ts";
import { JournalFeed } from "./capture/journal-feed.ts";
import type { LinkStates } from "./capture/link-watch.ts";
import { LiveSource } from "./capture/live-source.ts";
import type { LogFeed } from "./capture/log-feed.ts";
import { LogFileFeed } from "./capture/log-file-feed.ts";
import { LogSource } from "./capture/log-source.ts";
import type { CaptureReport, PacketSource } from "./capture/packet-source.ts";
import type { Clock } from "./clock.ts";
import type { CaptureChoice } from "./option-values.ts";
import type { AgentOptions } from "./options.ts";

/** What every source of packets is given. */
export interface CaptureSurroundings {
  readonly clock: Clock;
  readonly report: CaptureReport;
  readonly links: LinkStates;
}

/** The source of packets that `--capture` names; it is not started. */
export function openCapture(
  { capture, interfaces, logPrefix: prefix }: Pick<AgentOptions, "capture" | "interfaces" | "logPrefix">,
  surroundings: CaptureSurroundings,
): PacketSource {
  if (capture.kind === "live") return new LiveSource({ interfaces, ...surroundings });
  return new LogSource({ feed: feedOf(capture, surroundings.clock), prefix, interfaces, ...surroundings });
}

function feedOf(capture: Exclude<CaptureChoice, { kind: "live" }>, clock: Clock): LogFeed {
  switch (capture.kind) {
    case "file":
      return new LogFileFeed(capture.path, clock);
    case "journal":
      return new JournalFeed(clock);
    case "input":
      return new InputFeed(process.stdin);
    default:
      return capture satisfies never;
  }
}
