import type { RawResource, ReadText, WrittenText } from "./document.ts";
import { type KnockdFault, readKnockdConf } from "./knockd-conf.ts";
import type { KnockdDoor, KnockdKey } from "./knockd-door.ts";
import type { Problem } from "./problem.ts";
import { problemOf } from "./problem-catalogue.ts";
import type { Path } from "./yaml-document.ts";

/** The namespace of policies that are doors of a knockd.conf. */
export const knockdNamespace = "knockd";

/**
 * The doors of a knockd.conf as resources. With a fault the file counts as not readable, for it may lack doors; a one-time file
 * that is used up is no such fault: it ends one door.
 */
export function readKnockdText(text: WrittenText): ReadText {
  const { doors, faults } = readKnockdConf(text.text, text.oneTimeFiles ?? {});
  const problems = faultProblems(faults, text.origin);
  const names = new Map<string, number>();
  return {
    resources: doors.map((door) => resourceOf(text.origin, door, nameOf(door, names))),
    problems,
    unreadable: problems.filter(({ code }) => code !== "one-time-exhausted"),
  };
}

/** Faults of a knockd.conf in the catalogue's words. */
export function faultProblems(faults: readonly KnockdFault[], origin: string): readonly Problem[] {
  return faults.map(({ code, line, section }) =>
    problemOf(code, {
      policy: section === undefined || section === "options" ? undefined : `${knockdNamespace}/${printable(section)}`,
      field: "",
      place: { origin, line, column: 1 },
    }),
  );
}

/** Doors of one name are told apart by a number: `knockd/ssh`, `knockd/ssh#2`. `taken` holds the next number for each name that is taken. */
function nameOf(door: KnockdDoor, taken: Map<string, number>): string {
  const name = `${knockdNamespace}/${printable(door.name)}`;
  let number = taken.get(name);
  let own = name;
  for (; number !== undefined && taken.has(own); number++) own = `${name}#${number}`;
  taken.set(name, number ?? 2);
  if (own !== name) taken.set(own, 2);
  return own;
}

/** Names go to terminals and logs. */
function printable(name: string): string {
  return name.replace(/\p{C}/gu, "?").slice(0, 253);
}

/** Problems name fields as a KnockSequence has them; here they are shown as knockd calls them. */
const keyOfField: Readonly<Record<string, KnockdKey | undefined>> = {
  "spec.knock.steps": "Sequence",
  "spec.knock.within": "Seq_Timeout",
  "spec.knock.tcpFlags": "TCPFlags",
  "spec.knock.target": "Target",
  "spec.run": "Start_Command",
  "spec.run.opened": "Start_Command",
  "spec.run.openedV6": "Start_Command_6",
  "spec.run.closed": "Stop_Command",
  "spec.run.closedV6": "Stop_Command_6",
};

function resourceOf(origin: string, door: KnockdDoor, policy: string): RawResource {
  const keyOf = (path: Path) => {
    const key = keyOfField[path.slice(0, 3).join(".")];
    return key === "Sequence" && door.oneTimeFile !== undefined ? "One_Time_Sequences" : key;
  };
  return {
    value: undefined,
    door,
    policy,
    isFromApi: false,
    secret: undefined,
    fieldOf: (path) => keyOf(path) ?? "",
    placeOf: (path) => {
      const key = keyOf(path);
      return { origin, line: (key === undefined ? undefined : door.lines[key]) ?? door.line, column: 1 };
    },
  };
}
