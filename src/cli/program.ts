import { Command, CommanderError } from "commander";
import { addAgentCommands } from "./agent-commands.ts";
import { addClientCommands } from "./client-commands.ts";
import type { CommandIo } from "./command-io.ts";
import { addKnockd, isKnockd } from "./knockd-usage.ts";
import { programVersion } from "./program-version.ts";
import { type CommandLoaders, example, type Wiring } from "./wiring.ts";

/** Usage texts are wrapped here, on every terminal alike, so that the generated page is the same everywhere. */
const helpWidth = 100;

/** Exit codes, section "Commands" of the reference. */
const failed = 1;
const wrongUsage = 2;

/** Runs the program with these arguments and resolves to its exit code; every error ends as one sentence on stderr. */
export async function runProgram(argv: readonly string[], io: CommandIo, commands: CommandLoaders): Promise<number> {
  let code = 0;
  const program = buildProgram({
    io,
    commands,
    finish: (result) => {
      code = result;
    },
  });
  if (isKnockd(argv)) program.enablePositionalOptions(); // its -V is knockd's
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return isAnswer(error) || isKnockd(argv) ? 0 : wrongUsage;
    io.stderr.write(`error: ${describeError(error, io)}\n`);
    return failed;
  }
}

/** Every command with its options and an example. */
export function buildProgram(wiring: Wiring): Command {
  const { io } = wiring;
  const program = new Command("knockgate")
    .description("Keeps ports closed and silent, and opens them for the address that has knocked.")
    .version(`knockgate ${programVersion()}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .showHelpAfterError("See knockgate -h.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(`${text.trim().replaceAll("\n", " ")}\n`),
      getOutHelpWidth: () => helpWidth,
      getErrHelpWidth: () => helpWidth,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      "after",
      example(
        "knockgate agent --config /etc/knockgate",
        "knockgate knock bastion.example 7000/udp 8000 9000/udp --open 22",
      ),
    );
  addAgentCommands(program, wiring);
  addClientCommands(program, wiring);
  addKnockd(program, wiring);
  for (const command of program.commands) command.showHelpAfterError(`See knockgate ${command.name()} -h.`);
  return program;
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
