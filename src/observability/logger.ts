import type { Writable } from "node:stream";
import { pino } from "pino";
import pinoPretty from "pino-pretty";
import type { Clock } from "../clock.ts";
import { LogDestination } from "./log-destination.ts";
import { type EventLevel, type LogEventName, logEvents } from "./log-events.ts";

/**
 * What a line may carry beside its message. A closed list on purpose: there is no field in which a step could be put. The
 * source stands in audit records only.
 */
export interface LogFields {
  readonly policy?: string | undefined;
  readonly code?: string | undefined;
  readonly field?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly reason?: string | undefined;
  readonly count?: number | undefined;
  readonly accepted?: number | undefined;
  readonly rejected?: number | undefined;
  readonly interfaces?: readonly string[] | undefined;
  readonly version?: string | undefined;
  readonly mode?: string | undefined;
  readonly moment?: string | undefined;
  readonly seconds?: number | undefined;
  readonly exitCode?: number | undefined;
  readonly output?: string | undefined;
}

/** The fields of an audit record. */
export interface AuditFields {
  readonly source: string;
  readonly policy: string;
  /** The ports behind the door, `22/tcp`; never steps. */
  readonly ports: readonly string[];
  /** ISO 8601; absent: not open, or until closed. */
  readonly until?: string | undefined;
  readonly reason?: string | undefined;
  readonly detail?: string | undefined;
}

/** JSON lines for programs, or text for people. */
export type LogFormat = "json" | "pretty";

export interface LoggerOptions {
  /** The quietest lines that are written; audit records always are. */
  readonly level: EventLevel;
  readonly format: LogFormat;
  /** Standard output; anything else in tests. */
  readonly stream: Writable;
  readonly clock: Clock;
}

/**
 * Writes JSON lines with time, level, `event` and a message (or the same for people). The level follows from the event. In
 * this process and thread: a worker thread beside the capture's addon aborts Node.
 */
export class Logger {
  private readonly destination: LogDestination;
  private readonly logger: pino.Logger;
  private readonly auditLogger: pino.Logger;

  constructor(options: LoggerOptions) {
    const destination = new LogDestination(options.stream, options.format === "pretty" ? prettyLine() : undefined);
    const settings = {
      base: null,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date(options.clock.wallMicros() / 1000).toISOString()}"`,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    this.destination = destination;
    this.logger = pino({ ...settings, level: options.level }, { write: (line) => void destination.write(line) });
    this.auditLogger = pino({ ...settings, level: "info" }, { write: (line) => void destination.write(line, true) });
  }

  /** Log lines thrown away since the start. */
  get droppedLines(): number {
    return this.destination.droppedLines;
  }

  /** Writes one line. */
  log(event: LogEventName, message: string, fields: LogFields = {}): void {
    this.tellDropped();
    this.logger[logEvents[event].level]({ event, ...fields }, message);
  }

  /** Writes one audit record, whatever the level. */
  audit(event: LogEventName, message: string, fields: AuditFields): void {
    this.tellDropped();
    this.auditLogger[logEvents[event].level]({ event, audit: true, ...fields }, message);
  }

  /** Resolves when everything written so far is out; the caller bounds the wait. */
  async drained(): Promise<void> {
    await this.destination.drained();
  }

  private tellDropped(): void {
    const count = this.destination.takeUntold();
    if (count === 0) return;
    const message = "Log lines were thrown away because standard output was not read fast enough.";
    this.logger.warn({ event: "log-lines-dropped" satisfies LogEventName, count }, message);
  }
}

/** pino-pretty as a plain function of this thread. */
function prettyLine(): (line: string) => string {
  const prettify = pinoPretty.prettyFactory({ colorize: false, messageKey: "message", translateTime: "SYS:standard" });
  return (line) => prettify(line) ?? line;
}
