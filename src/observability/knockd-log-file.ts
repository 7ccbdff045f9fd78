import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";

/** Where knockd's log lines go. */
export interface KnockdLogPlaces {
  /** `LogFile` or `-g`; undefined: none. */
  readonly logFile: string | undefined;
  readonly useSyslog: boolean;
}

/**
 * knockd's log file and its syslog. The file is opened for each line, so that whoever renames it (logrotate) gets a new one; a line
 * that cannot be written is lost, and nothing waits for it.
 */
export class KnockdLogFile {
  private places: KnockdLogPlaces = { logFile: undefined, useSyslog: false };
  private readonly wallMicros: () => number;
  private readonly failed: (reason: string) => void;
  private syslog: ChildProcess | undefined;
  private isFailing = false;

  /** `failed` is told once, until a line can be written again. */
  constructor(wallMicros: () => number, failed: (reason: string) => void) {
    this.wallMicros = wallMicros;
    this.failed = failed;
  }

  /** Takes what the configuration says now. */
  use(places: KnockdLogPlaces): void {
    this.places = places;
    if (!places.useSyslog) this.close();
    else this.syslog ??= this.startSyslog();
  }

  write(text: string, spaced: boolean): void {
    this.syslog?.stdin?.write(`${text}\n`);
    if (this.places.logFile === undefined) return;
    try {
      appendFileSync(this.places.logFile, `[${minuteText(this.wallMicros())}] ${text}\n${spaced ? "\n" : ""}`);
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.failed((error as Error).message);
      this.isFailing = true;
    }
  }

  /** Ends the way to syslog. */
  close(): void {
    this.syslog?.stdin?.end();
    this.syslog = undefined;
  }

  /** Node cannot write to /dev/log, logger(1) can: ident, facility and level are knockd's. */
  private startSyslog(): ChildProcess {
    const logger = spawn("logger", ["-t", "knockd", "-p", "user.notice"], { stdio: ["pipe", "ignore", "ignore"] });
    const gone = () => {
      if (this.syslog === logger) this.syslog = undefined;
    };
    logger.on("error", gone);
    logger.on("exit", gone);
    logger.stdin.on("error", gone);
    return logger;
  }
}

/** `2026-11-25 13:59`, local time. */
function minuteText(wallMicros: number): string {
  const at = new Date(wallMicros / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
