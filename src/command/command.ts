import { type Address, familyOf, formatAddress } from "../policy/address.ts";
import type { CommandLine, Policy } from "../policy/policy.ts";
import { formatPort, type Port } from "../policy/port.ts";

/** When a command runs. */
export type Moment = "opened" | "closed";

/** One command of a policy for one source, ready to run. */
export interface Command {
  /** `namespace/name`. */
  readonly policy: string;
  readonly moment: Moment;
  readonly source: Address;
  /** Program and arguments. */
  readonly argv: readonly [string, ...string[]];
  /** What is added to the agent's own environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What a command is told beside the source. */
export interface CommandContext {
  readonly policy: string;
  readonly ports: readonly Port[];
  /** Until when the door is open; undefined: until closed. */
  readonly untilWallMicros: number | undefined;
}

/** knockd runs nothing longer. */
const longestText = 4095;

/** The command line of a policy for a source's family; undefined where there is none. */
export function commandLineOf({ run }: Policy, moment: Moment, source: Address): CommandLine | undefined {
  const line = familyOf(source) === "ipv6" ? (run?.[`${moment}V6`] ?? run?.[moment]) : run?.[moment];
  return line === undefined || line.length === 0 ? undefined : line;
}

/**
 * The command with the source in the place of every `%IP%`. Only a typed address comes in, whose text holds digits, letters a to
 * f, dots and colons, so that nothing needs to be quoted. Undefined where the text has 4,096 bytes or more.
 */
export function commandFor(
  line: CommandLine,
  moment: Moment,
  source: Address,
  { policy, ports, untilWallMicros }: CommandContext,
): Command | undefined {
  const sourceText = formatAddress(source);
  const expand = (text: string) => text.replaceAll("%IP%", sourceText);
  const [program = "", ...args] = typeof line === "string" ? ["/bin/sh", "-c", expand(line)] : line.map(expand);
  if (typeof line === "string" && Buffer.byteLength(args[1] ?? "") > longestText) return undefined;
  const env = {
    KNOCKGATE_SOURCE: sourceText,
    KNOCKGATE_SEQUENCE: policy,
    KNOCKGATE_PORTS: ports.map(formatPort).join(","),
    KNOCKGATE_DEADLINE: untilWallMicros === undefined ? "" : String(Math.round(untilWallMicros / 1e6)),
  };
  return { policy, moment, source, argv: [program, ...args], env };
}

/** The command as a person would type it, for the log. */
export function commandText({ argv }: Command): string {
  return argv[0] === "/bin/sh" && argv[1] === "-c" ? (argv[2] ?? "") : argv.join(" ");
}
