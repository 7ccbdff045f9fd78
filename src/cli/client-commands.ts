import { type Command, Option } from "commander";
import { readOptions } from "../options.ts";
import type { Address } from "../policy/address.ts";
import { addOptions, readOrRefuse, readSocket } from "./agent-commands.ts";
import type { OutputFormat } from "./command-io.ts";
import { addConvert } from "./convert-command.ts";
import { addGrants, addRevoke } from "./door-clients.ts";
import { addHunt } from "./hunt-usage.ts";
import { addKnock } from "./knock-command.ts";
import { collected, outputOption, readAddress } from "./usage-parts.ts";
import { addWatch } from "./watch-client.ts";
import { example, type Wiring } from "./wiring.ts";

/** Wires the commands that need no agent's options. */
export function addClientCommands(program: Command, wiring: Wiring): void {
  addKnock(program, wiring);
  addWatch(program, { guise: "host", wiring });
  addCheck(program, wiring);
  addConvert(program, wiring);
  addReplay(program, wiring);
  addHunt(program, wiring);
  addGrants(program, { guise: "host", wiring });
  addRevoke(program, { guise: "host", wiring });
  addConfirm(program, wiring);
}

function addCheck(program: Command, wiring: Wiring): void {
  const check = program
    .command("check")
    .description("Tells every problem with file, line and field; exit code 1 when something is rejected.")
    .argument("<path...>", "files and folders")
    .addOption(outputOption("one array with an object for each problem"));
  const keys = ["guards", "serves", "allowCommands", "allowCritical"] as const;
  addOptions(check, keys);
  check.addHelpText("after", example("knockgate check /etc/knockgate"));
  check.action(async (paths: string[]) => {
    const options = readOrRefuse(check, wiring, (given, env) => readOptions(keys, given, env));
    const { output } = check.opts<{ output: OutputFormat }>();
    const start = await wiring.commands.check();
    wiring.finish(await start({ paths, output, ...options }, wiring.io));
  });
}

interface ReplayFlags {
  readonly config?: readonly string[];
  readonly knockdConf?: readonly string[];
  readonly local?: readonly Address[];
  readonly output: OutputFormat;
}

function addReplay(program: Command, { io, commands, finish }: Wiring): void {
  const replay = program.command("replay");
  const locals = new Option(
    "--local <ADDR>",
    "only packets to this address count; may be repeated (default: every destination)",
  );
  const configs = new Option("--config <PATH>", "a file or folder with policies; may be repeated");
  const knockdConfs = new Option("--knockd-conf <PATH>", "a knockd.conf; may be repeated");
  replay
    .description("Tells who would have been let in by the packets of a capture file. Offline, needs no privileges.")
    .argument("<file>", "a capture in pcap format")
    .addOption(configs.argParser<readonly string[]>(collected))
    .addOption(knockdConfs.argParser<readonly string[]>(collected))
    .addOption(locals.argParser<readonly Address[]>((text, before = []) => [...before, readAddress(replay, text)]))
    .addOption(outputOption("one object a line with at, source, sequence"))
    .addHelpText(
      "after",
      example(
        "knockgate replay knocks.pcap --config ssh.yaml",
        "knockgate replay knocks.pcap --knockd-conf /etc/knockd.conf",
      ),
    );
  replay.action(async (file: string) => {
    const {
      config: configs = [],
      knockdConf: knockdConfs = [],
      local: locals = [],
      output,
    } = replay.opts<ReplayFlags>();
    if (configs.length + knockdConfs.length === 0)
      replay.error("error: replay needs policies: name them with --config PATH or --knockd-conf PATH.");
    const start = await commands.replay();
    finish(await start({ file, configs, knockdConfs, locals, output }, io));
  });
}

function addConfirm(program: Command, wiring: Wiring): void {
  const confirm = program
    .command("confirm")
    .description("Keeps enforcing, or enforces again: you get in although ports are closed (see --confirm-within).");
  addOptions(confirm, ["socket"]);
  confirm.addHelpText("after", example("knockgate confirm"));
  confirm.action(async () => {
    const start = await wiring.commands.confirm();
    wiring.finish(await start(readSocket(confirm, wiring), wiring.io));
  });
}
