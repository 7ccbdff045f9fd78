import type { ConfirmationReport, ConfirmationState, Mode } from "../confirmation.ts";
import { formatDuration } from "../policy/duration.ts";
import type { LogEventName } from "./log-events.ts";
import type { ReportSinks } from "./reports.ts";

/** What is logged when a confirmation has come to a state; nothing where nobody has to confirm. */
const events: Readonly<
  Record<ConfirmationState, { readonly event: LogEventName; readonly message: string } | undefined>
> = {
  "not-asked": undefined,
  asked: {
    event: "confirmation-asked",
    message:
      "Guarded ports are closed for a trial; knock from outside --trust or run `knockgate confirm` to keep them so",
  },
  confirmed: { event: "confirmation-given", message: "Somebody gets in, so guarded ports stay closed." },
  lapsed: {
    event: "confirmation-lapsed",
    message: "Nobody has confirmed in time, so nothing is closed any more: knock, or run `knockgate confirm`.",
  },
};

/** The report of `--confirm-within`: the mode that holds, and a line for each change. */
export class ObservedConfirmation implements ConfirmationReport {
  private readonly sinks: ReportSinks;

  constructor(sinks: ReportSinks) {
    this.sinks = sinks;
  }

  changed(state: ConfirmationState, mode: Mode, leftMicros: number | undefined): void {
    this.sinks.metrics.mode(mode);
    this.sinks.metrics.confirmation(state);
    const told = events[state];
    if (told === undefined) return;
    const until = leftMicros === undefined ? "" : ` within ${formatDuration(leftMicros)}.`;
    this.sinks.logger.log(told.event, told.message + until, { mode });
  }

  warned(message: string): void {
    this.sinks.logger.log("agent-warned", message);
  }
}
