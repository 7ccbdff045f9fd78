import { Command } from "commander";
import { addAgentCommands } from "./agent-commands.ts";
import { addClientCommands } from "./client-commands.ts";
import type { CommandIo } from "./command-io.ts";
import { addKnockd, isKnockd } from "./knockd-usage.ts";
import { endOf, prepare, wrongUsage } from "./program-frame.ts";
import { programVersion } from "./program-version.ts";
import { type CommandLoaders, example, type Wiring } from "./wiring.ts";

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
  const wrong = await endOf(program, argv, io);
  return wrong === wrongUsage && isKnockd(argv) ? 0 : (wrong ?? code);
}

/** Every command with its options and an example. */
export function buildProgram(wiring: Wiring): Command {
  const { io } = wiring;
  const program = prepare(new Command("knockgate"), io, `knockgate ${programVersion()}`)
    .description("Keeps ports closed and silent, and opens them for the address that has knocked.")
    .showHelpAfterError("See knockgate -h.")
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
