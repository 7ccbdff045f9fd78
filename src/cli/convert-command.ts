import type { Command } from "commander";
import { example, type Wiring } from "./wiring.ts";

/** Wires `knockgate convert`. */
export function addConvert(program: Command, { io, commands, finish }: Wiring): void {
  const convert = program
    .command("convert")
    .description(
      "Prints a knockd.conf as KnockSequences: doors that the kernel closes, where commands opened and closed them.",
    )
    .argument("<path>", "a knockd.conf")
    .option("--keep-matching", "as strict as knockd (matching: Knockd) instead of Tolerant")
    .option("--explain", "a table instead: each door, what becomes of it, what to check")
    .addHelpText(
      "after",
      example("knockgate convert --explain /etc/knockd.conf", "knockgate convert /etc/knockd.conf > doors.yaml"),
    );
  convert.action(async (path: string) => {
    const { keepMatching, explain } = convert.opts<{ keepMatching?: true; explain?: true }>();
    const start = await commands.convert();
    finish(await start({ path, keepMatching: keepMatching === true, explain: explain === true }, io));
  });
}
