import { isIP } from "node:net";
import { type Command, CommanderError } from "commander";
import type { CommandIo } from "../../src/cli/command-io.ts";
import { type KnockWorld, knockCommand } from "../../src/cli/knock.ts";
import { resolveHost } from "../../src/cli/knock-host.ts";
import type { KnockArguments } from "../../src/cli/knock-plan.ts";
import { buildProgram, runProgram } from "../../src/cli/program.ts";
import type { CommandLoaders } from "../../src/cli/wiring.ts";
import { systemClock } from "../../src/clock.ts";
import { MemoryIo } from "../fake/memory-io.ts";
import { type FuzzTarget, promised } from "./fuzz-target.ts";
import { mutatedText, strangeText } from "./mutation.ts";
import type { Random } from "./random.ts";

const lines = [
  ["192.0.2.1", "7000", "8000:udp", "9000/tcp"],
  ["-6", "-v", "-d", "200", "[2001:db8::1]", "7000/udp", "ssh"],
  ["--open", "22", "--wait", "10s", "-u", "192.0.2.1", "1", "65535"],
  ["--open", "22", "--tries", "3", "192.0.2.1", "7000", "8000:udp"],
  ["-4", "--delay=5", "192.0.2.1", "--", "-1", "+7", "99999"],
] as const;
const words = [
  ..."-u -d -4 -6 -v -V -h --open --wait --exec --delay= -- - : / :udp /udp /tcp /sctp 0 -1 65536 1e3 0x10 10s 99999h , @ % $".split(
    " ",
  ),
  "99999999999999999999",
  " ",
  "\0",
  "\n",
  "\u202e",
  "",
] as const;

/** The arguments of `knockgate knock`, one a NUL apart, as the kernel hands them over. Nothing is sent. */
export const knockTarget: FuzzTarget = {
  name: "knock",
  make: (random) => new TextEncoder().encode(argumentsOf(random).join("\0")),
  run: async (input) => {
    const argv = ["knock", ...new TextDecoder().decode(input).split("\0")];
    const io = new MemoryIo();
    const world = new NoWorld();
    const code = await ((input[0] ?? 0) % 64 === 0 ? runProgram(argv, io, commandsIn(world)) : parsed(argv, io, world));
    if (world.broken !== undefined) throw world.broken;
    promised(code === 0 || code === 1 || code === 2, "a command ends with 0, 1 or 2");
    promised(code === 0 || io.err !== "", "a failure is told");
    promised(!/\n\s+at .*:\d+:\d+/.test(io.err), "an error is a sentence and no stack trace");
    promised(io.err.length < 10_000 + input.length * 4, "what is printed is bounded");
    promised(world.hits <= argv.length, "a port is hit once");
  },
};

function commandsIn(world: KnockWorld): CommandLoaders {
  const knock = async () => (args: KnockArguments, io: CommandIo) => knockCommand(withoutNames(args), io, world);
  return { knock } as Partial<CommandLoaders> as CommandLoaders;
}

/** The program of most inputs: putting one together takes longer than a hundred knocks. */
let kept: { readonly program: Command; run(io: MemoryIo, world: KnockWorld): void; code(): number } | undefined;

/** The same as the whole program, with one that is used again. */
async function parsed(argv: readonly string[], io: MemoryIo, world: KnockWorld): Promise<number> {
  kept ??= keptProgram();
  kept.run(io, world);
  try {
    await kept.program.parseAsync([...argv], { from: "user" });
    return kept.code();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
}

function keptProgram(): NonNullable<typeof kept> {
  let now: { io: MemoryIo; world: KnockWorld } = { io: new MemoryIo(), world: new NoWorld() };
  let code = 0;
  const io: CommandIo = {
    env: {},
    interrupted: new AbortController().signal,
    inputEnded: new AbortController().signal,
    stdout: { isTty: false, write: (text) => now.io.stdout.write(text) },
    stderr: { isTty: false, write: (text) => now.io.stderr.write(text) },
  };
  const knock = async () => (args: KnockArguments) => knockCommand(withoutNames(args), now.io, now.world);
  const commands = { knock } as Partial<CommandLoaders> as CommandLoaders;
  const finish = (result: number) => {
    code = result;
  };
  const run = (ioNow: MemoryIo, world: KnockWorld) => {
    now = { io: ioNow, world };
    code = 0;
  };
  return { program: buildProgram({ io, commands, finish }), run, code: () => code };
}

/** A name would be asked for in the network: the fuzz asks nobody. */
function withoutNames(args: KnockArguments): KnockArguments {
  return { ...args, host: isIP(args.host.replace(/^\[(.*)\]$/, "$1")) === 0 ? "192.0.2.1" : args.host };
}

/** Sends nothing and checks everything; what is broken is kept, for the program tells every error as a sentence. */
class NoWorld implements KnockWorld {
  readonly clock = systemClock;
  hits = 0;
  broken: Error | undefined;
  readonly resolve = resolveHost;
  readonly run: KnockWorld["run"] = async () => 0;

  readonly send: KnockWorld["send"] = async (protocol, address, port) => {
    this.hits++;
    this.check(protocol === "tcp" || protocol === "udp", "a hit is TCP or UDP");
    this.check(isIP(address) !== 0, "a hit goes to an address");
    this.check(isPort(port), "a port has 16 bits");
  };

  readonly sendBurst: KnockWorld["sendBurst"] = async (address, hits) => {
    for (const { protocol, port } of hits) await this.send(protocol, address, port);
  };

  readonly sleep: KnockWorld["sleep"] = async (delayMs) => {
    this.check(Number.isInteger(delayMs) && delayMs >= 0 && delayMs < 1e9, "a pause is bounded");
  };

  readonly waitForPort: KnockWorld["waitForPort"] = async ([address = ""], port, waitMs) => {
    this.check(isIP(address) !== 0 && isPort(port), "what is waited for is a port of an address");
    this.check(Number.isFinite(waitMs) && waitMs >= 0, "the wait is a number");
    return address;
  };

  private check(holds: boolean, promise: string): void {
    if (!holds) this.broken ??= new Error(`broken promise: ${promise}`);
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 0xffff;
}

function argumentsOf(random: Random): readonly string[] {
  const line = [...random.pick(lines)] as string[];
  for (let times = random.below(4); times > 0; times--) {
    const at = random.below(line.length);
    const word = line[at] ?? "";
    const kind = random.below(4);
    if (kind === 0) line.splice(at, 1);
    else if (kind === 1) line.splice(at, 0, random.pick(words));
    else line[at] = kind === 2 ? mutatedText(word, words, random) : strangeText(random);
    if (line.length === 0) return [""];
  }
  return line;
}
