import { KnockError } from "./knock-error.ts";
import type { KnockProfile } from "./knock-profiles.ts";
import { type KnockTarget, parseTarget, portNumber } from "./knock-target.ts";

/** What `knockgate knock` was asked. */
export interface KnockArguments {
  /** A name, an address, or `@NAME` for a profile. */
  readonly host: string;
  /** As typed: `7000`, `7000:udp`, `7000/udp`, `ssh`. None with a profile, else at least one. */
  readonly ports: readonly string[];
  readonly udp: boolean;
  /** The text behind `-d`: milliseconds as atoi(3) reads them. */
  readonly delay: string | undefined;
  readonly family: 4 | 6 | undefined;
  readonly verbose: boolean;
  /** A TCP port to wait for afterwards. */
  readonly open: string | undefined;
  readonly waitMs: number | undefined;
  /** The text behind `--tries`. */
  readonly tries: string | undefined;
  /** For /bin/sh, when the port is open. */
  readonly exec: string | undefined;
  /** The file of profiles; undefined: where it usually lies. */
  readonly profiles: string | undefined;
}

/** One port to hit, ready to be sent to. */
export interface Hit extends KnockTarget {
  readonly port: number;
}

/** A knock as it will be made: everything is read, nothing is sent. */
export interface KnockPlan {
  readonly host: string;
  readonly family: 4 | 6 | undefined;
  readonly hits: readonly Hit[];
  /** After every hit, the last one too. */
  readonly delayMs: number;
  /** The TCP port to wait for. */
  readonly open: number | undefined;
  readonly waitMs: number;
  /** How often it is knocked while that port is silent. */
  readonly tries: number;
}

const usualWaitMs = 10_000;
/** How long the port is waited for before the next knock. */
export const nextKnockMs = 1000;

/** What the command line and the profile, if it names one, come to; the command line wins. Throws KnockError. */
export async function planKnock(args: KnockArguments, profile: KnockProfile | undefined): Promise<KnockPlan> {
  const delayMs = args.delay === undefined ? (profile?.delayMs ?? 0) : parseDelay(args.delay);
  const targets = (profile?.steps ?? args.ports).map((text) => parseTarget(text, args.udp));
  const openText = args.open ?? profile?.open;
  const opening = openText === undefined ? undefined : parseTarget(openText, false);
  if (opening?.protocol === "udp")
    throw new KnockError("--open can only wait for a TCP port: UDP does not answer by itself.");
  if (opening === undefined && args.exec !== undefined)
    throw new KnockError("--exec runs its command when a port is open: name that port with --open.");
  const open = opening === undefined ? undefined : await portNumber(opening);
  if (open === 0) throw new KnockError("--open can only wait for a port from 1 to 65535: port 0 never answers.");
  if (opening === undefined && args.tries !== undefined)
    throw new KnockError("--tries knocks again while a port is silent: name that port with --open.");
  const tries = args.tries === undefined ? 1 : parseTries(args.tries);
  const hits = await Promise.all(targets.map(async (target) => ({ ...target, port: await portNumber(target) })));
  return {
    host: profile?.host ?? args.host,
    family: args.family ?? profile?.family,
    hits,
    delayMs,
    open,
    waitMs: args.waitMs ?? profile?.waitMs ?? Math.max(usualWaitMs, tries * nextKnockMs),
    tries,
  };
}

/** As knockd's client reads it: what is no number is 0. */
function parseDelay(text: string): number {
  const delayMs = Number(/^\s*[+-]?\d{1,9}/.exec(text)?.[0] ?? 0);
  if (delayMs < 0) throw new KnockError("delay cannot be negative");
  return delayMs;
}

function parseTries(text: string): number {
  const tries = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (tries < 1) throw new KnockError(`--tries: "${text}" is no number from 1 to 9999.`);
  return tries;
}
