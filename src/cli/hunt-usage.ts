import { type Command, InvalidArgumentError, Option } from "commander";
import { defaultWindows } from "../hunt/hunter.ts";
import { defaultScore } from "../hunt/score.ts";
import { formatDuration, parseDuration } from "../policy/duration.ts";
import type { HuntArguments, OutputFormat } from "./command-io.ts";
import { collected, outputOption } from "./usage-parts.ts";
import { example, type Wiring } from "./wiring.ts";

interface HuntFlags {
  readonly interface?: readonly string[];
  readonly sockets?: boolean;
  readonly stepGap: number;
  readonly openWithin: number;
  readonly minScore: number;
  readonly output: OutputFormat;
}

/** Wires `knockgate hunt`. */
export function addHunt(program: Command, { io, commands, finish }: Wiring): void {
  const hunt = program
    .command("hunt")
    .description(
      "Looks for port knocking in traffic: who knocks, on what, and what opens. Exit code 1 when something was found, 0 when not, 2 when nothing could be read.",
    )
    .argument("[file]", "a capture in pcap format, or - for one on standard input");
  for (const option of options()) hunt.addOption(option);
  hunt.addHelpText(
    "after",
    example(
      "knockgate hunt day.pcap",
      "tcpdump -i eth0 -s 128 -U -w - | knockgate hunt - -o json",
      "knockgate hunt --interface eth0",
      "knockgate hunt --sockets",
    ),
  );
  hunt.action(async (file: string | undefined) => {
    const {
      interface: interfaces = [],
      sockets = false,
      stepGap,
      openWithin,
      minScore,
      output,
    } = hunt.opts<HuntFlags>();
    if ([file !== undefined, interfaces.length > 0, sockets].filter(Boolean).length !== 1)
      hunt.error(
        "error: name what to look at: a capture FILE, - for standard input, --interface NAME or --sockets; one of them.",
      );
    const windows = { stepMicros: stepGap, openMicros: openWithin };
    const args: HuntArguments = { file, interfaces, sockets, windows, minimumScore: minScore, output };
    const start = await commands.hunt();
    finish(await start(args, io));
  });
}

function options(): Option[] {
  const duration = (flags: string, means: string, micros: number) =>
    new Option(flags, means).argParser(readDuration).default(micros, formatDuration(micros));
  return [
    new Option(
      "--interface <NAME>",
      "listen here until interrupted, and print what is found; may be repeated",
    ).argParser<readonly string[]>(collected),
    new Option(
      "--sockets",
      "instead list who holds raw and packet sockets here, with their filters; 1 when one is not known",
    ),
    duration("--step-gap <D>", "steps of one knock lie no further apart than this", defaultWindows.stepMicros),
    duration("--open-within <D>", "the port opens so soon after the last step", defaultWindows.openMicros),
    new Option("--min-score <N>", "what scores less, of 100, is not reported")
      .argParser(readScore)
      .default(defaultScore),
    outputOption("one object a line"),
  ];
}

function readDuration(text: string): number {
  const micros = parseDuration(text);
  if (micros === undefined || micros === 0) throw new InvalidArgumentError("Write 20s or 5m.");
  return micros;
}

function readScore(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100) throw new InvalidArgumentError("Write a number from 0 to 100.");
  return Number(text);
}
