import { type DoorAct, hasTypography, readDoorCommand } from "./door-command.ts";
import type { FirewallAct } from "./firewall-act.ts";
import type { KnockdDoor } from "./knockd-door.ts";
import { expandRange, type PortKey, type PortRange, portKey } from "./port.ts";
import { guessedPorts } from "./service-port.ts";

/** What one door of a knockd.conf does, as far as its commands show it. */
export interface DoorReading {
  readonly door: KnockdDoor;
  /** What its start command opens; empty: nothing that is known. */
  readonly opened: readonly PortRange[];
  /** What its start command closes, where it opens nothing; empty: every port. Undefined where it closes nothing. */
  readonly closed: readonly PortRange[] | undefined;
  /** Until it closes by itself; 0: never. */
  readonly forSeconds: number;
  /** Whether what closes it also ends connections. */
  readonly cuts: boolean;
  /** Parts of the commands that no firewall is changed by, to be run by a shell. */
  readonly leftOpened: readonly string[];
  readonly leftOpenedV6: readonly string[];
  readonly leftClosed: readonly string[];
  readonly leftClosedV6: readonly string[];
  /** Only when knockd ran a start command for one of the families. */
  readonly onlyFamily: 4 | 6 | undefined;
  /** Why parts of the commands were not understood. */
  readonly whys: readonly string[];
  /** What a person should look at, a sentence each without a full stop. */
  readonly checks: readonly string[];
}

/** Reads the four commands of a door together. */
export function readDoor(door: KnockdDoor): DoorReading {
  const start = readDoorCommand(door.startCommand ?? "");
  const startV6 = door.startCommandV6 === undefined ? start : readDoorCommand(door.startCommandV6);
  const stop = readDoorCommand(door.stopCommand ?? "");
  const stopV6 = door.stopCommandV6 === undefined ? stop : readDoorCommand(door.stopCommandV6);
  const [opening, later] = splitAtPause([...start, ...(startV6 === start ? [] : startV6)]);
  const closing = [...later, ...stop, ...(stopV6 === stop ? [] : stopV6)];
  const opens = firewallActs(opening).filter(isOpening);
  const guess = guessOf(door, opens);
  const opened = guess ?? opens.flatMap(({ ports }) => ports);
  return {
    door,
    opened: distinct(opened),
    closed: closedBy(firewallActs(opening)),
    forSeconds: lastingSeconds(door, opens, opening, closing),
    cuts: [...opening, ...closing].some(({ kind }) => kind === "cut"),
    leftOpened: leftOf(start),
    leftOpenedV6: leftOf(startV6),
    leftClosed: leftOf(stop).filter((text) => opens.length === 0 || !changesFirewall.test(text)),
    leftClosedV6: leftOf(stopV6).filter((text) => opens.length === 0 || !changesFirewall.test(text)),
    onlyFamily: onlyFamily(start, startV6),
    whys: [...new Set([...opening, ...closing].flatMap((act) => (act.kind === "unknown" ? [act.why] : [])))],
    checks: [...textChecks(door, opens.length > 0 ? closing : []), ...checksOf(opens, closing, guess !== undefined)],
  };
}

function portKeysOf(ranges: readonly PortRange[]): ReadonlySet<PortKey> {
  return new Set(ranges.flatMap(expandRange).map(portKey));
}

/** Whether two rules have a port in common; a rule that names none is for all. */
export function overlap(some: readonly PortRange[], others: readonly PortRange[]): boolean {
  const keys = portKeysOf(others);
  return some.length === 0 || others.length === 0 || [...portKeysOf(some)].some((key) => keys.has(key));
}

/** A rule that accepts is added, or one that denies is taken away. */
function isOpening({ change, verdict }: FirewallAct): boolean {
  return (change === "add") === (verdict === "accept");
}

function firewallActs(acts: readonly DoorAct[]): readonly FirewallAct[] {
  return acts.flatMap((act) => (act.kind === "firewall" ? [act.act] : []));
}

/** `iptables -I …; sleep 10; iptables -D …` closes after its pause. */
function splitAtPause(acts: readonly DoorAct[]): readonly [readonly DoorAct[], readonly DoorAct[]] {
  const at = acts.findIndex(({ kind }) => kind === "pause");
  return at < 0 ? [acts, []] : [acts.slice(0, at + 1), acts.slice(at + 1)];
}

/** A rule for all ports cannot be converted as it is: there are guarded ports, not a guarded host. */
function guessOf(door: KnockdDoor, opens: readonly FirewallAct[]): readonly PortRange[] | undefined {
  return opens.length > 0 && opens.every(({ ports }) => ports.length === 0) ? guessedPorts(door.name) : undefined;
}

function lastingSeconds(
  door: KnockdDoor,
  opens: readonly FirewallAct[],
  opening: readonly DoorAct[],
  closing: readonly DoorAct[],
): number {
  const own = opens.flatMap(({ lastsSeconds }) => lastsSeconds ?? [])[0];
  const pause = opening.flatMap((act) => (act.kind === "pause" ? [act.seconds] : []))[0];
  if (own !== undefined) return own;
  if (pause !== undefined) return pause;
  return closing.length > 0 ? door.commandTimeoutSeconds : 0;
}

function leftOf(acts: readonly DoorAct[]): readonly string[] {
  return acts.flatMap((act) => (act.kind === "unknown" ? [act.text] : []));
}

function onlyFamily(start: readonly DoorAct[], startV6: readonly DoorAct[]): 4 | 6 | undefined {
  if (start.length > 0 && startV6.length === 0) return 4;
  return start.length === 0 && startV6.length > 0 ? 6 : undefined;
}

/** A part of a command that is not understood, but touches a firewall. */
const changesFirewall = /\b(ip6?tables|nft|ufw|firewall-cmd)\b/;

function closedBy(acts: readonly FirewallAct[]): readonly PortRange[] | undefined {
  return acts.length === 0 || acts.some(isOpening) ? undefined : distinct(acts.flatMap(({ ports }) => ports));
}

function* textChecks(door: KnockdDoor, closing: readonly DoorAct[]): Generator<string> {
  const commands = [door.startCommand, door.startCommandV6, door.stopCommand, door.stopCommandV6];
  if (commands.some((command) => hasTypography(command ?? "")))
    yield "a command has a dash or quote of a web page (\u2013) where -- or a straight quote belongs, so it never worked; it was read as meant";
  if (leftOf(closing).some((text) => changesFirewall.test(text)))
    yield "how its stop command changes the firewall is not understood; it was left out, for the kernel closes this door";
}

function* checksOf(opens: readonly FirewallAct[], closing: readonly DoorAct[], isGuessed: boolean): Generator<string> {
  yield* new Set([...opens, ...firewallActs(closing)].flatMap(({ remarks }) => remarks));
  if (isGuessed) yield "its rule opened every port; which one is meant was guessed from its name";
  if (opens.some(({ from }) => from === "anybody"))
    yield "its rule opened the port to everybody; a grant is for the source alone";
  const closes = firewallActs(closing);
  if (opens.length === 0 || closes.length === 0) return;
  if (!closes.some((close) => opens.some((open) => undoes(close, open)))) yield removesNothing(opens, closes);
}

/** Whether a rule is taken away as it was added; or one is put before it that denies. */
function undoes(close: FirewallAct, open: FirewallAct): boolean {
  if (!overlap(close.ports, open.ports) || close.from !== open.from) return false;
  return close.verdict === open.verdict
    ? close.change !== open.change
    : close.change === "add" && open.change === "add";
}

/** Why what should close a door did not. */
function removesNothing(opens: readonly FirewallAct[], closes: readonly FirewallAct[]): string {
  const [open] = opens;
  const [close] = closes;
  const words = { accept: "ACCEPT", deny: "DROP" } as const;
  if (open !== undefined && close !== undefined && open.verdict !== close.verdict)
    return `its stop command removed nothing: it removes a rule with ${words[close.verdict]}, and the rule was ${words[open.verdict]}; the kernel closes this door`;
  return "its stop command removed nothing: it names another rule than the start command; the kernel closes this door";
}

function distinct(ranges: readonly PortRange[]): readonly PortRange[] {
  const byText = new Map(ranges.map((range) => [`${range.first}-${range.last}/${range.protocol}`, range]));
  return [...byText.values()];
}
