import { type Clock, sleep, systemClock } from "../clock.ts";
import type { CommandIo, TextSink } from "./command-io.ts";
import { type SendBurst, sendBurst } from "./knock-burst.ts";
import { KnockError } from "./knock-error.ts";
import { type RunCommand, runCommand } from "./knock-exec.ts";
import { type SendHit, sendHit } from "./knock-hit.ts";
import { type ResolveHost, resolveHost } from "./knock-host.ts";
import { type WaitForPort, waitForPort } from "./knock-open.ts";
import { type Hit, type KnockArguments, type KnockPlan, nextKnockMs, planKnock } from "./knock-plan.ts";
import { type KnockProfile, readProfile, usualProfilesPath } from "./knock-profiles.ts";
import { readPrivateFile } from "./private-file.ts";

/** What the client does to the world; tests hand in another. */
export interface KnockWorld {
  readonly clock: Clock;
  readonly resolve: ResolveHost;
  readonly send: SendHit;
  readonly sendBurst: SendBurst;
  readonly sleep: (delayMs: number) => Promise<void>;
  readonly waitForPort: WaitForPort;
  readonly run: RunCommand;
}

const realWorld: KnockWorld = {
  clock: systemClock,
  resolve: resolveHost,
  send: sendHit,
  sendBurst,
  sleep,
  waitForPort,
  run: runCommand,
};

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
    const knockAt: KnockAt = (address, manner) => knock(plan, address, manner, args.verbose ? told : undefined, world);
    if (plan.open === undefined) {
      await knockAt(addresses[0] ?? "", "as usual");
      return 0;
    }
    const { address, micros } = await knockUntilOpen(addresses, knockAt, { ...plan, open: plan.open }, world);
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

/** Knocks once; in one burst without the delay. */
type KnockAt = (address: string, manner: "as usual" | "in one burst") => Promise<void>;

async function knock(
  { hits, delayMs }: KnockPlan,
  address: string,
  manner: Parameters<KnockAt>[1],
  told: TextSink | undefined,
  world: KnockWorld,
): Promise<void> {
  const tell = ({ protocol, portText }: Hit) => told?.write(`hitting ${protocol} ${address}:${portText}\n`);
  if (manner === "in one burst") {
    hits.forEach(tell);
    return world.sendBurst(address, hits);
  }
  for (const hit of hits) {
    tell(hit);
    await world.send(hit.protocol, address, hit.port);
    if (delayMs > 0) await world.sleep(delayMs);
  }
}

/**
 * Knocks on the first address and waits for the port; where it stays silent for a second the next one is knocked on too, then all
 * again as often as is asked, and all knocked on so far are waited for. Every other time it is one burst: packets that somebody
 * else sends with our address then hardly fall between two steps. The time counts from the end of the first knock. Throws
 * KnockError when it has run out.
 */
async function knockUntilOpen(
  addresses: readonly string[],
  knockAt: KnockAt,
  { open, waitMs, tries }: Pick<KnockPlan, "waitMs" | "tries"> & { readonly open: number },
  { clock, waitForPort }: KnockWorld,
): Promise<{ readonly address: string; readonly micros: number }> {
  let beganMicros: number | undefined;
  const knocks = tries * addresses.length;
  for (let at = 0; at < knocks; at++) {
    const isBurst = Math.floor(at / addresses.length) % 2 === 1;
    await knockAt(addresses[at % addresses.length] ?? "", isBurst ? "in one burst" : "as usual");
    beganMicros ??= clock.nowMicros();
    const leftMs = Math.max(0, waitMs - (clock.nowMicros() - beganMicros) / 1000);
    const knocked = addresses.slice(0, at + 1);
    const address = await waitForPort(knocked, open, at === knocks - 1 ? leftMs : Math.min(leftMs, nextKnockMs), clock);
    if (address !== undefined) return { address, micros: clock.nowMicros() - beganMicros };
    if (leftMs <= nextKnockMs) break;
  }
  throw new KnockError(
    `${open}/tcp did not answer within ${waitMs / 1000} s: ask \`knockgate watch\` on the server why.`,
  );
}
