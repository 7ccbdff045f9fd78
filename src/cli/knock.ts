import { type Clock, sleep, systemClock } from "../clock.ts";
import type { CommandIo, ExitCode } from "./command-io.ts";
import { type SendHit, sendHit } from "./knock-hit.ts";
import { waitForPort } from "./knock-open.ts";
import { KnockError, type KnockTarget, parseTarget, portNumber, resolveHost } from "./knock-target.ts";

/** What `knockgate knock` was asked. */
export interface KnockArguments {
  readonly host: string;
  /** As typed, at least one: `7000`, `7000:udp`, `7000/udp`, `ssh`. */
  readonly ports: readonly string[];
  readonly udp: boolean;
  /** The text behind `-d`: milliseconds as atoi(3) reads them. */
  readonly delay: string;
  readonly family: 4 | 6 | undefined;
  readonly verbose: boolean;
  /** A TCP port to wait for afterwards. */
  readonly open: string | undefined;
  readonly waitMs: number;
}

/** What the client does to the world; tests hand in another. */
export interface KnockWorld {
  readonly clock: Clock;
  readonly send: SendHit;
  readonly sleep: (delayMs: number) => Promise<void>;
  readonly waitForPort: typeof waitForPort;
}

const realWorld: KnockWorld = { clock: systemClock, send: sendHit, sleep, waitForPort };

/**
 * knockd's `knock` in flags and packets: one hit a port in the order given, a pause after every hit. Ports are not shown unless
 * asked for, for a terminal has a history.
 */
export async function knockCommand(
  args: KnockArguments,
  io: CommandIo,
  world: KnockWorld = realWorld,
): Promise<ExitCode> {
  try {
    const delayMs = parseDelay(args.delay);
    const targets = args.ports.map((text) => parseTarget(text, args.udp));
    const opening = args.open === undefined ? undefined : parseTarget(args.open, false);
    if (opening?.protocol === "udp")
      throw new KnockError("--open can only wait for a TCP port: UDP does not answer by itself.");
    for (const target of targets) await hit(target, args, delayMs, io, world);
    return opening === undefined ? 0 : await awaitOpening(opening, args, io, world);
  } catch (error) {
    if (!(error instanceof KnockError)) throw error;
    io.stderr.write(`error: ${error.message}\n`);
    return 1;
  }
}

/** As knockd's client reads it: what is no number is 0. */
function parseDelay(text: string): number {
  const delayMs = Number(/^\s*[+-]?\d{1,9}/.exec(text)?.[0] ?? 0);
  if (delayMs < 0) throw new KnockError("delay cannot be negative");
  return delayMs;
}

async function hit(
  target: KnockTarget,
  args: KnockArguments,
  delayMs: number,
  io: CommandIo,
  world: KnockWorld,
): Promise<void> {
  const { address, port } = await resolveTarget(target, args);
  if (args.verbose) io.stdout.write(`hitting ${target.protocol} ${address}:${target.portText}\n`);
  await world.send(target.protocol, address, port);
  if (delayMs > 0) await world.sleep(delayMs);
}

async function resolveTarget(target: KnockTarget, args: KnockArguments): Promise<{ address: string; port: number }> {
  const [address, port] = await Promise.all([
    resolveHost(args.host, args.family).catch((error: unknown) => {
      if (error instanceof KnockError) throw error;
      throw new KnockError(`Failed to resolve hostname '${args.host}': ${String((error as { code?: unknown }).code)}.`);
    }),
    portNumber(target),
  ]);
  if (port === undefined)
    throw new KnockError(`'${target.portText}' is neither a port nor a service of /etc/services: write its number.`);
  return { address, port };
}

async function awaitOpening(
  target: KnockTarget,
  args: KnockArguments,
  io: CommandIo,
  world: KnockWorld,
): Promise<ExitCode> {
  const { address, port } = await resolveTarget(target, args);
  const micros = await world.waitForPort(address, port, args.waitMs, world.clock);
  if (micros === undefined) {
    io.stderr.write(
      `error: ${port}/tcp did not answer within ${args.waitMs / 1000} s: ask \`knockgate watch\` on the server why.\n`,
    );
    return 1;
  }
  io.stdout.write(`${port}/tcp answered after ${(micros / 1000).toFixed(1)} ms\n`);
  return 0;
}
