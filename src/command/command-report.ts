import type { Command } from "./command.ts";

/** How a command ended: the closed list, also a metric label. `refused`: it was not started. */
export const commandResults = ["done", "failed", "too-long", "refused"] as const;
export type CommandResult = (typeof commandResults)[number];

/** One command that has ended, or was refused. */
export interface CommandEnd {
  readonly command: Command;
  readonly result: CommandResult;
  /** Its exit code, where it ended by itself. */
  readonly exitCode: number | undefined;
  /** Why it failed, a few words. */
  readonly reason: string | undefined;
  /** What it wrote, the beginning of it. */
  readonly output: string;
  readonly seconds: number;
}

/** What the commands tell; observability implements it. */
export interface CommandReport {
  started(command: Command): void;
  ended(end: CommandEnd): void;
  /** One sentence: commands go on with less than they should have. */
  warned(message: string): void;
}
