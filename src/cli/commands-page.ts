import type { Command } from "commander";
import { buildPlugin } from "./kubectl-plugin.ts";
import { buildProgram } from "./program.ts";
import type { CommandLoaders, Wiring } from "./wiring.ts";

/** The page docs/reference/commands.md, from the usage texts themselves. */
export function commandsPage(): string {
  const program = buildProgram(nowhere);
  const plugin = buildPlugin(nowhere);
  return `# Commands

Exit codes: 0 done, 1 refused or failed, 2 wrong usage. Errors are one sentence on standard error. \`-h\` explains each command.

${[program, ...program.commands, plugin, ...plugin.commands].map(section).join("\n")}`;
}

function section(command: Command): string {
  const name = command.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`;
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

/** A world in which nothing ever runs. */
const never = new AbortController().signal;
const silent = { write: () => undefined, isTty: false };
const nowhere: Wiring = {
  io: { stdout: silent, stderr: silent, env: {}, interrupted: never, inputEnded: never },
  commands: {} as CommandLoaders,
  finish: () => undefined,
};
