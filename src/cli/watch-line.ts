import type { WatchEvent, WatchEventKind } from "../observability/watch-hub.ts";
import { printable } from "./table.ts";

/** What each event means to somebody who asks why a knock did not work. */
const meanings: Readonly<Record<WatchEventKind, string>> = {
  watching: "from here on",
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

/** One line for one event: time, source, sequence, how far, what it means. Tabs between, so that `cut` works. */
export function describeEvent(event: WatchEvent): string {
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
  const cells = [event.time ?? "", event.source ?? "-", sequence, event.kind, step, `${meaning}${after}`];
  return cells.map(printable).join("\t");
}
