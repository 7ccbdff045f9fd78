import { formatAddress } from "./address.ts";
import type { ConvertedPolicy, ConvertedRun } from "./converted-policy.ts";
import { type DoorReading, overlap, readDoor } from "./door-reading.ts";
import type { KnockdDoor } from "./knockd-door.ts";

/** What becomes of one door. */
export interface DoorFate {
  readonly door: KnockdDoor;
  readonly kind: "opens" | "run" | "closes" | "left-out";
  /** For people: `opens 22/tcp for 30s`. */
  readonly became: string;
  readonly checks: readonly string[];
  /** Not with `closes` and `left-out`. */
  readonly policy: ConvertedPolicy | undefined;
}

/** How to convert. */
export interface ConversionOptions {
  readonly keepMatching: boolean;
  /** Doors (by line) whose commands are to be kept as they are, because what they would open cannot be guarded. */
  readonly asCommands: ReadonlyMap<number, string>;
  /** Doors that share their steps with another one, which only `matching: Knockd` allows. */
  readonly asKnockd: ReadonlySet<number>;
  /** Doors that no policy can be made of, and why. */
  readonly leftOut: ReadonlyMap<number, string>;
}

/** Decides what becomes of each door, in the order of the file. */
export function convertDoors(doors: readonly KnockdDoor[], options: ConversionOptions): readonly DoorFate[] {
  const readings = doors.map(readDoor);
  const names = namesOf(doors);
  const fates = readings.map((reading, at) => fateOf(reading, names[at] ?? "", options));
  return pairClosers(fates, readings);
}

function fateOf(reading: DoorReading, name: string, options: ConversionOptions): DoorFate {
  const { door } = reading;
  const reason = options.leftOut.get(door.line) ?? hopeless(door);
  if (reason !== undefined) return { door, kind: "left-out", became: "left out", checks: [reason], policy: undefined };
  const kept = options.asCommands.get(door.line);
  if (reading.opened.length === 0 || kept !== undefined) return commandFate(reading, name, options, kept);
  const run = leftRun(reading);
  const forSeconds = reading.forSeconds;
  const policy = {
    ...basePolicy(door, name, options),
    onlyFamily: reading.onlyFamily,
    opens: { ports: reading.opened, forSeconds, cuts: reading.cuts },
    run,
  };
  const checks = [...reading.checks, ...knockChecks(door, options)];
  if (run !== undefined) checks.push("what its commands do besides became run, which needs --allow-commands");
  return { door, kind: "opens", became: "opens", checks, policy };
}

/** The commands as they are. */
function commandFate(
  reading: DoorReading,
  name: string,
  options: ConversionOptions,
  kept: string | undefined,
): DoorFate {
  const { door, whys } = reading;
  const opened = door.startCommand ?? "";
  const closed = door.stopCommand ?? "";
  const run: ConvertedRun = {
    opened,
    openedV6: door.startCommandV6,
    closed,
    closedV6: door.stopCommandV6,
    forSeconds: closed === "" && (door.stopCommandV6 ?? "") === "" ? undefined : door.commandTimeoutSeconds,
  };
  const checks = kept === undefined ? [...whys] : [kept];
  if (checks.length === 0)
    checks.push(
      reading.closed === undefined
        ? "it names no port that could be guarded"
        : "it closes what no converted door opens, or what has a closedBy already",
    );
  checks.push(
    ...reading.checks,
    "its commands became run, which needs --allow-commands",
    ...knockChecks(door, options),
  );
  const policy = { ...basePolicy(door, name, options), run };
  return { door, kind: "run", became: "run", checks, policy };
}

function basePolicy(door: KnockdDoor, name: string, { keepMatching, asKnockd }: ConversionOptions): ConvertedPolicy {
  return {
    name,
    steps: door.steps ?? [],
    withinSeconds: door.timeoutSeconds,
    flags: door.flags,
    matching: keepMatching || asKnockd.has(door.line) ? "Knockd" : "Tolerant",
    target: typeof door.target === "string" ? undefined : formatAddress(door.target),
    onlyFamily: undefined,
    opens: undefined,
    closedBy: undefined,
    run: undefined,
  };
}

/** Why there can be no policy for a door. */
function hopeless(door: KnockdDoor): string | undefined {
  if (door.steps === undefined)
    return "one-time sequences have no equal in a KnockSequence: keep this door in a knockd.conf, and use --knockd-conf";
  if (door.steps.some((key) => (key & 0xffff) === 0)) return "a step of it is port 0, on which few clients can knock";
  if (door.timeoutSeconds <= 0 && door.steps.length > 1) return "its Seq_Timeout is not above 0, so it never opened";
  if (door.target === "never") return "its Target never matches, so it never opened";
  const commands = [door.startCommand, door.startCommandV6].filter((command) => (command ?? "") !== "");
  return commands.length === 0 ? "it has no start command, so it did nothing" : undefined;
}

function knockChecks(door: KnockdDoor, { keepMatching, asKnockd }: ConversionOptions): readonly string[] {
  const isStrict = keepMatching || asKnockd.has(door.line);
  const found = [
    ...(door.timeoutSeconds > 3600 ? ["its Seq_Timeout became 1h, the longest there is"] : []),
    ...(asKnockd.has(door.line) ? ["another door has its sequence, which only matching: Knockd allows"] : []),
  ];
  const takesAll = !isStrict && door.flags.must === 0 && door.flags.mustNot === 0;
  return takesAll ? [...found, "it took any TCP packet; now only one that begins a connection is a knock"] : found;
}

function leftRun(reading: DoorReading): ConvertedRun | undefined {
  const { leftOpened, leftOpenedV6, leftClosed, leftClosedV6 } = reading;
  const line = (parts: readonly string[]) => parts.join("; ");
  const differing = (v6: readonly string[], v4: readonly string[]) => (line(v6) === line(v4) ? undefined : line(v6));
  const run = {
    opened: line(leftOpened),
    openedV6: differing(leftOpenedV6, leftOpened),
    closed: line(leftClosed),
    closedV6: differing(leftClosedV6, leftClosed),
    forSeconds: undefined,
  };
  const isEmpty = [run.opened, run.openedV6, run.closed, run.closedV6].every((text) => (text ?? "") === "");
  return isEmpty ? undefined : run;
}

/** A door that only closes what another one opens becomes its closedBy: the first of those with a port in common, best with a like name. */
function pairClosers(fates: readonly DoorFate[], readings: readonly DoorReading[]): readonly DoorFate[] {
  const result = [...fates];
  const steps = fates.map(({ door }) => String(door.steps));
  for (const [at, reading] of readings.entries()) {
    const closer = result[at];
    if (closer === undefined || closer.kind !== "run" || reading.closed === undefined) continue;
    // A closedBy whose steps another door has would be rejected, and its policy with it.
    if (steps.indexOf(String(reading.door.steps)) !== steps.lastIndexOf(String(reading.door.steps))) continue;
    const openers = result.filter((fate) => fate.kind === "opens" && fits(fate, closer, reading));
    const opener = openers.sort((one, other) => likeness(other, closer) - likeness(one, closer))[0];
    if (opener?.policy === undefined) continue;
    const closedBy = reading.door.steps;
    const left = reading.leftOpened.length > 0 ? ["what else its command does was left out"] : [];
    const opens = opener.policy.opens && { ...opener.policy.opens, cuts: opener.policy.opens.cuts || reading.cuts };
    result[result.indexOf(opener)] = { ...opener, policy: { ...opener.policy, opens, closedBy } };
    const became = `closedBy of ${opener.policy.name}`;
    result[at] = {
      door: closer.door,
      kind: "closes",
      became,
      checks: [...differences(closer.door, opener.door), ...left],
      policy: undefined,
    };
  }
  return result.map(describe);
}

function fits({ policy }: DoorFate, closer: DoorFate, { closed }: DoorReading): boolean {
  if (policy?.opens === undefined || policy.closedBy !== undefined) return false;
  if (closer.policy?.target !== policy.target) return false;
  return closed !== undefined && overlap(closed, policy.opens.ports);
}

/** How many letters two names have in common at their ends, `openSSH` and `closeSSH` 3. */
function likeness({ door: one }: DoorFate, { door: other }: DoorFate): number {
  const [a, b] = [one.name.toLowerCase(), other.name.toLowerCase()];
  let count = 0;
  while (count < a.length && a.at(-1 - count) === b.at(-1 - count)) count++;
  return count;
}

function differences(closer: KnockdDoor, opener: KnockdDoor): readonly string[] {
  const differ = [
    ...(closer.timeoutSeconds === opener.timeoutSeconds ? [] : ["Seq_Timeout"]),
    ...(closer.flags.must === opener.flags.must && closer.flags.mustNot === opener.flags.mustNot ? [] : ["TCPFlags"]),
  ];
  return differ.length === 0 ? [] : [`its ${differ.join(" and ")} is now that of ${opener.name}`];
}

function describe(fate: DoorFate): DoorFate {
  const { policy } = fate;
  if (policy?.opens === undefined) return fate;
  const { ports, forSeconds } = policy.opens;
  const texts = ports.map(({ first, last, protocol }) => `${first === last ? first : `${first}-${last}`}/${protocol}`);
  const lasting = forSeconds === 0 ? "until closed" : `for ${forSeconds}s`;
  const isEndless = forSeconds === 0 && policy.closedBy === undefined;
  const checks = isEndless ? [...fate.checks, "knockd never closed it: set `for`"] : fate.checks;
  return { ...fate, checks, became: `${policy.name}: opens ${texts.join(", ")} ${lasting}` };
}

/** Names as Kubernetes has them, each once. */
function namesOf(doors: readonly KnockdDoor[]): readonly string[] {
  const taken = new Set<string>();
  return doors.map(({ name }) => {
    const base =
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "-")
        .replaceAll(/^-+|-+$/g, "")
        .slice(0, 50) || "door";
    let free = base.replace(/-+$/, "");
    for (let number = 2; taken.has(free); number++) free = `${base}-${number}`;
    taken.add(free);
    return free;
  });
}
