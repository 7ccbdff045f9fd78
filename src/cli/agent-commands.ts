import { type Command, Option } from "commander";
import { type OptionKey, type OptionSpec, optionTable } from "../option-table.ts";
import {
  type AgentOptions,
  allOptionKeys,
  type GivenOptions,
  type OptionsReading,
  readAgentOptions,
  readOptions,
} from "../options.ts";
import type { OutputFormat } from "./command-io.ts";
import { type CommandOf, example, type Wiring } from "./wiring.ts";

const environmentNote =
  "\nEach option also reads the variable KNOCKGATE_<NAME>, such as KNOCKGATE_GUARD_ADDRESS; repeated ones are separated there by commas.";

/** Wires the commands that take the agent's options: agent, ruleset, doctor and cleanup. */
export function addAgentCommands(program: Command, wiring: Wiring): void {
  const agent = program.command("agent").description("Guards ports and lets in who knocks. Runs until told to end.");
  addOptions(agent, allOptionKeys);
  agent
    .addHelpText("after", environmentNote)
    .addHelpText("after", example("knockgate agent --config /etc/knockgate --trust 192.0.2.0/24"));
  agent.action(() => run(agent, wiring, readAgentOptions, wiring.commands.agent));

  addRuleset(program, wiring);
  addDoctor(program, wiring);

  const cleanup = program
    .command("cleanup")
    .description("Removes Knockgate's table from the kernel: guarded ports are open then.");
  const cleanupKeys = ["stateDir", "socket"] as const;
  addOptions(cleanup, cleanupKeys);
  cleanup.addHelpText("after", example("knockgate cleanup"));
  cleanup.action(() =>
    run(cleanup, wiring, (given, env) => readOptions(cleanupKeys, given, env), wiring.commands.cleanup),
  );
}

function addRuleset(program: Command, wiring: Wiring): void {
  const { commands, finish, io } = wiring;
  const ruleset = program
    .command("ruleset")
    .description("Prints the table that would be loaded, as nft text. Loads nothing.");
  addOptions(
    ruleset,
    allOptionKeys.filter((key) => optionTable[key].shapesRuleset),
  );
  const logHelp = "Print instead the rules that log knocks with this prefix, for a capture from a log.";
  ruleset
    .addOption(new Option("--log-prefix <TEXT>", logHelp).argParser((text) => [text]))
    .addHelpText("after", environmentNote)
    .addHelpText(
      "after",
      example("knockgate ruleset --config ssh.yaml", "knockgate ruleset --config ssh.yaml --log-prefix portknock"),
    );
  ruleset.action(async () => {
    const options = readOrRefuse(ruleset, wiring, readAgentOptions);
    const isForLog = givenOptions(ruleset)["log-prefix"] !== undefined;
    const start = await commands.ruleset();
    finish(await start({ options, logPrefix: isForLog ? options.logPrefix : undefined }, io));
  });
}

/** The doctor takes what the agent takes, so that it judges as that one would fare. */
function addDoctor(program: Command, wiring: Wiring): void {
  const { io, commands, finish } = wiring;
  const doctor = program
    .command("doctor")
    .description("Looks at this host for what would keep doors from closing or opening. Changes nothing.");
  addOptions(
    doctor,
    allOptionKeys.filter((key) => optionTable[key].shapesRuleset || doctorKeys.has(key)),
  );
  doctor
    .addOption(
      new Option("-o, --output <format>", "table for people, json for programs")
        .choices(["table", "json"])
        .default("table"),
    )
    .addHelpText("after", environmentNote)
    .addHelpText("after", example("knockgate doctor --config /etc/knockgate"));
  doctor.action(async () => {
    const read: Read<AgentOptions> = (given, env) => readOptions(allOptionKeys, given, env);
    const options = readOrRefuse(doctor, wiring, read);
    const output = doctor.opts<{ output: OutputFormat }>().output;
    finish(await (await commands.doctor())({ options, output }, io));
  });
}

/** What the doctor looks at beside the table. */
const doctorKeys: ReadonlySet<OptionKey> = new Set(["interfaces", "stateDir", "socket"]);

/** Gives a command rows of the table of options. */
export function addOptions(command: Command, keys: readonly OptionKey[]): void {
  for (const key of keys) command.addOption(optionOf(optionTable[key]));
}

function optionOf(spec: OptionSpec): Option {
  if (spec.takes === "switch") return new Option(`--${spec.name}`, spec.help);
  const fallback = spec.default === "" ? "" : ` Default: ${spec.default}.`;
  const note = spec.takes === "many" ? " May be repeated." : fallback;
  return new Option(`--${spec.name} <${spec.value.metavar}>`, `${spec.help}${note}`).argParser<readonly string[]>(
    spec.takes === "many" ? (text, before = []) => [...before, text] : (text) => [text],
  );
}

/** The texts given on the command line, by option name. */
export function givenOptions(command: Command): GivenOptions {
  const values = command.opts<Record<string, readonly string[] | true | undefined>>();
  return Object.fromEntries(command.options.map((option) => [option.long?.slice(2), values[option.attributeName()]]));
}

type Read<Options> = (given: GivenOptions, env: Wiring["io"]["env"]) => OptionsReading<Options>;

async function run<Options>(
  command: Command,
  wiring: Wiring,
  read: Read<Options>,
  load: () => Promise<CommandOf<Options>>,
): Promise<void> {
  const options = readOrRefuse(command, wiring, read);
  const start = await load();
  wiring.finish(await start(options, wiring.io));
}

/** The options, or the end of the program with every problem on a line of its own. */
export function readOrRefuse<Options>(command: Command, wiring: Wiring, read: Read<Options>): Options {
  const reading = read(givenOptions(command), wiring.io.env);
  if (reading.kind === "read") return reading.options;
  const [last = "", ...others] = [...reading.problems].reverse();
  for (const problem of others.reverse()) wiring.io.stderr.write(`error: ${problem}\n`);
  return command.error(`error: ${last}`);
}

/** The options of a client of the agent: where its socket is. */
export function readSocket(command: Command, wiring: Wiring): Pick<AgentOptions, "socket"> {
  return readOrRefuse(command, wiring, (given, env) => readOptions(["socket"], given, env));
}
