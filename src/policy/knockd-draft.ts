import { type Address, parseCidr } from "./address.ts";
import type { RawResource } from "./document.ts";
import { hasTypography } from "./door-command.ts";
import { type Draft, orderOf } from "./draft.ts";
import type { Finding } from "./finding.ts";
import { policyIdOf } from "./fingerprint.ts";
import type { KnockdDoor, KnockdTarget } from "./knockd-door.ts";
import type { RunCommands } from "./policy.ts";

/** The unspecified address, to which no packet goes (RFC 4291, 2.5.2): the target of a door whose target never matches. */
const nowhere: Address = Uint32Array.of(0, 0, 0, 0);

const everyIpv4 = [parseCidr("0.0.0.0/0")].flatMap((range) => range ?? []);
const everybody = [...everyIpv4, ...[parseCidr("::/0")].flatMap((range) => range ?? [])];

/** Compiles one door of a knockd.conf by itself; for a resource that is one. Findings that are errors reject it. */
export function draftDoor(
  resource: RawResource,
  door: KnockdDoor,
  options: { readonly allowCommands: boolean; readonly onlyIpv4?: boolean },
): { readonly draft: Draft; readonly findings: readonly Finding[] } {
  const name = resource.policy ?? "";
  const id = policyIdOf(name);
  const draft = {
    id,
    name,
    opensBy: {
      policy: id,
      action: "open",
      steps: door.steps ?? [],
      withinMicros: door.timeoutSeconds * 1e6,
      flags: door.flags,
      matching: "Knockd",
      decoys: [],
      target: targetOf(door.target),
      sources: options.onlyIpv4 === true && door.target === "any" ? everyIpv4 : everybody,
    },
    closesBy: undefined,
    opens: undefined,
    run: commandsOf(door),
    uid: undefined,
    isSecret: false,
    knockd: { door: door.name, oneTime: door.oneTime },
    decoys: 0,
    entryOfPort: new Map(),
    resource,
  } as const satisfies Draft;
  return { draft, findings: [...findingsOf(door, draft, options.allowCommands)] };
}

function targetOf(target: KnockdTarget): Address | undefined {
  if (target === "any") return undefined;
  return target === "never" ? nowhere : target;
}

/**
 * Every command is named, so that no variant stands in for another by itself: where a family's start command is missing or empty
 * nothing runs, not even the stop command. A negative Cmd_Timeout counts as 0.
 */
function commandsOf(door: KnockdDoor): RunCommands | undefined {
  const opened = door.startCommand ?? "";
  const openedV6 = door.startCommandV6 ?? opened;
  if (opened === "" && openedV6 === "") return undefined;
  const closed = door.stopCommand ?? "";
  return {
    opened,
    openedV6,
    closed: opened === "" ? "" : closed,
    closedV6: openedV6 === "" ? "" : (door.stopCommandV6 ?? closed),
    forMicros: Math.max(0, door.commandTimeoutSeconds) * 1e6,
  };
}

function* findingsOf(door: KnockdDoor, draft: Draft, allowCommands: boolean): Generator<Finding> {
  const { steps, withinMicros } = draft.opensBy;
  if (draft.run !== undefined && !allowCommands) yield { code: "run-not-allowed", path: ["spec", "run"] };
  if (steps.some((key) => (key & 0xffff) === 0)) yield { code: "step-zero", path: ["spec", "knock", "steps"] };
  if (withinMicros <= 0 && steps.length > 1) yield { code: "within-nothing", path: ["spec", "knock", "within"] };
  if (door.target === "never") yield { code: "target-never-matches", path: ["spec", "knock", "target"] };
  for (const [command, path] of commandPaths(door))
    if (hasTypography(command)) yield { code: "command-typography", path };
  const order = orderOf(steps);
  if (order !== undefined) yield { code: order, path: ["spec", "knock", "steps"] };
}

function commandPaths(door: KnockdDoor): readonly (readonly [string, Finding["path"]])[] {
  return [
    [door.startCommand ?? "", ["spec", "run", "opened"]],
    [door.startCommandV6 ?? "", ["spec", "run", "openedV6"]],
    [door.stopCommand ?? "", ["spec", "run", "closed"]],
    [door.stopCommandV6 ?? "", ["spec", "run", "closedV6"]],
  ];
}
