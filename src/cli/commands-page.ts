import type { Command } from "commander";
import type { CommandIo } from "./command-io.ts";
import { buildProgram } from "./program.ts";
import type { CommandLoaders } from "./wiring.ts";

/** The page docs/reference/commands.md, from the usage texts themselves. */
export function commandsPage(): string {
  const program = programForUsage();
  return `# Commands

Exit codes: 0 done, 1 refused or failed, 2 wrong usage. Errors are one sentence on standard error. \`-h\` explains each command.

${[program, ...program.commands].map(section).join("\n")}`;
}

function section(command: Command): string {
  const name = command.parent === null ? "knockgate" : `knockgate ${command.name()}`;
  return `## ${name}\n\n\`\`\`text\n${usage(command)}\n\`\`\`\n`;
}

/** What \`-h\` prints, with the examples that stand behind it. */
function usage(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text.trimEnd();
}

/** The program as it is wired, in a world in which it never runs. */
function programForUsage(): Command {
  const nowhere = { write: () => undefined, isTty: false };
  const io: CommandIo = { stdout: nowhere, stderr: nowhere, env: {}, interrupted: new AbortController().signal };
  return buildProgram({ io, commands: {} as CommandLoaders, finish: () => undefined });
}
