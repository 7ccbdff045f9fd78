import type { Command } from "../command/command.ts";
import type { CommandEnd, CommandReport } from "../command/command-report.ts";
import type { ReportSinks } from "./reports.ts";

/** The command stage's report: a count and a line for each command that has ended. */
export class ObservedCommands implements CommandReport {
  private readonly sinks: ReportSinks;
  private readonly also: CommandReport | undefined;

  /** `also` is told the same. */
  constructor(sinks: ReportSinks, also?: CommandReport) {
    this.sinks = sinks;
    this.also = also;
  }

  started(command: Command): void {
    this.also?.started(command);
  }

  ended(end: CommandEnd): void {
    this.also?.ended(end);
    const { command, result, exitCode, reason, output, seconds } = end;
    const { metrics, logger } = this.sinks;
    const { policy, moment } = command;
    metrics.command(policy, result);
    const fields = { policy, moment, seconds, exitCode, reason, output: output === "" ? undefined : output };
    if (result === "done") logger.log("command-ended", "A command has ended.", fields);
    else logger.log("command-failed", "A command failed; see what it wrote, and run it by hand.", fields);
  }

  warned(message: string): void {
    this.sinks.logger.log("command-warned", message);
  }
}
