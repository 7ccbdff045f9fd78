import { type Command, CommanderError } from "commander";
import type { CommandIo } from "./command-io.ts";

/** Usage texts are wrapped here, on every terminal alike, so that the generated page is the same everywhere. */
const helpWidth = 100;

/** Exit codes, section "Commands" of the reference. */
const failed = 1;
export const wrongUsage = 2;

/** Gives a program its help, its errors of one line, and its output in the world that it runs in. */
export function prepare(program: Command, io: CommandIo, version: string): Command {
  return program
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(`${text.trim().replaceAll("\n", " ")}\n`),
      getOutHelpWidth: () => helpWidth,
      getErrHelpWidth: () => helpWidth,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

/** Runs it; resolves to the exit code that something has forced, or undefined where its command has ended by itself. Every error ends as one sentence. */
export async function endOf(program: Command, argv: readonly string[], io: CommandIo): Promise<number | undefined> {
  try {
    await program.parseAsync([...argv], { from: "user" });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return isAnswer(error) ? 0 : wrongUsage;
    io.stderr.write(`error: ${describeError(error, io)}\n`);
    return failed;
  }
}

/** Help and version are answers, all else that commander throws is wrong usage. */
function isAnswer(error: CommanderError): boolean {
  return error.code === "commander.helpDisplayed" || error.code === "commander.version";
}

/** One sentence; the trace is for those who asked for it. */
function describeError(error: unknown, io: CommandIo): string {
  if (!(error instanceof Error)) return String(error);
  return io.env.KNOCKGATE_LOG_LEVEL === "debug" ? (error.stack ?? error.message) : error.message;
}
