import { type Clock, sleep, systemClock } from "../clock.ts";
import type { CommandIo, TextSink } from "./command-io.ts";
import { KnockError } from "./knock-error.ts";
import { type RunCommand, runCommand } from "./knock-exec.ts";
import { type SendHit, sendHit } from "./knock-hit.ts";
import { type ResolveHost, resolveHost } from "./knock-host.ts";
import { type WaitForPort, waitForPort } from "./knock-open.ts";
import { type KnockArguments, type KnockPlan, planKnock } from "./knock-plan.ts";
import { type KnockProfile, readProfile, usualProfilesPath } from "./knock-profiles.ts";
import { readPrivateFile } from "./private-file.ts";

/** What the client does to the world; tests hand in another. */
export interface KnockWorld {
  readonly clock: Clock;
  readonly resolve: ResolveHost;
  readonly send: SendHit;
  readonly sleep: (delayMs: number) => Promise<void>;
  readonly waitForPort: WaitForPort;
  readonly run: RunCommand;
}

const realWorld: KnockWorld = {
  clock: systemClock,
  resolve: resolveHost,
  send: sendHit,
  sleep,
  waitForPort,
  run: runCommand,
};

/** How long the port of one address is waited for before the next address is knocked on as well. */
const nextAddressMs = 1000;

/**
 * knockd's `knock` in flags and packets: one hit a port in the order given, a pause after every hit. Ports are not shown unless
 * asked for, for a terminal has a history. Nothing is sent before all is known that is needed. Resolves to the exit code: that of
 * the command where there is one and it ran.
 */
export async function knockCommand(
  args: KnockArguments,
  io: CommandIo,
  world: KnockWorld = realWorld,
): Promise<number> {
  try {
    const plan = await planKnock(args, await profileOf(args, io));
    const addresses = await world.resolve(plan.host, plan.family);
    // Standard output belongs to the command, which may be a line to ssh.
    const told = args.exec === undefined ? io.stdout : io.stderr;
    const knockAt = (address: string) => knock(plan, address, args.verbose ? told : undefined, world);
    if (plan.open === undefined) {
      await knockAt(addresses[0] ?? "");
      return 0;
    }
    const { address, micros } = await knockUntilOpen(addresses, knockAt, plan.open, plan.waitMs, world);
    const name = addresses.length > 1 ? `${plan.open}/tcp of ${address}` : `${plan.open}/tcp`;
    if (args.exec === undefined || args.verbose)
      told.write(`${name} answered after ${(micros / 1000).toFixed(1)} ms\n`);
    if (args.exec === undefined) return 0;
    return await world.run(args.exec, {
      KNOCKGATE_HOST: plan.host,
      KNOCKGATE_ADDRESS: address,
      KNOCKGATE_PORT: String(plan.open),
    });
  } catch (error) {
    if (!(error instanceof KnockError)) throw error;
    for (const sentence of error.message.split("\n")) io.stderr.write(`error: ${sentence}\n`);
    return 1;
  }
}

async function profileOf({ host, profiles }: KnockArguments, io: CommandIo): Promise<KnockProfile | undefined> {
  if (!host.startsWith("@")) return undefined;
  const path = profiles ?? usualProfilesPath(io.env);
  const file = await readPrivateFile(path);
  if ("refused" in file) throw new KnockError(file.refused);
  return readProfile(file.text, path, host.slice(1));
}

async function knock(
  { hits, delayMs }: KnockPlan,
  address: string,
  told: TextSink | undefined,
  world: KnockWorld,
): Promise<void> {
  for (const { protocol, port, portText } of hits) {
    told?.write(`hitting ${protocol} ${address}:${portText}\n`);
    await world.send(protocol, address, port);
    if (delayMs > 0) await world.sleep(delayMs);
  }
}

/**
 * Knocks on the first address and waits for the port; where it stays silent for a second the next one is knocked on too, and all
 * knocked on so far are waited for. The time counts from the end of the first knock. Throws KnockError when it has run out.
 */
async function knockUntilOpen(
  addresses: readonly string[],
  knockAt: (address: string) => Promise<void>,
  port: number,
  waitMs: number,
  { clock, waitForPort }: KnockWorld,
): Promise<{ readonly address: string; readonly micros: number }> {
  let beganMicros: number | undefined;
  for (const [at, next] of addresses.entries()) {
    await knockAt(next);
    beganMicros ??= clock.nowMicros();
    const leftMs = waitMs - (clock.nowMicros() - beganMicros) / 1000;
    const isLast = at === addresses.length - 1;
    const knocked = addresses.slice(0, at + 1);
    const address = await waitForPort(knocked, port, isLast ? leftMs : Math.min(leftMs, nextAddressMs), clock);
    if (address !== undefined) return { address, micros: clock.nowMicros() - beganMicros };
  }
  throw new KnockError(
    `${port}/tcp did not answer within ${waitMs / 1000} s: ask \`knockgate watch\` on the server why.`,
  );
}
