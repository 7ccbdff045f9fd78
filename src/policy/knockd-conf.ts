/**
 * Reads the knockd.conf of jvinet's knockd 0.8, with that program's own idea of what is right. Unlike knockd, which ends at
 * the first fault, it goes on and tells all of them.
 */
import { type KnockdDoor, type KnockdKey, knockdKeys } from "./knockd-door.ts";
import { type KnockdLine, readKnockdLines } from "./knockd-line.ts";
import { type KnockdValue, type KnockdWrong, readFlags, readNumber, readSteps, readTarget } from "./knockd-values.ts";
import { type OneTimeFiles, readOneTimeLine } from "./one-time.ts";
import type { ProblemCode } from "./problem-catalogue.ts";

/** What `[options]` says; undefined: not given. */
export interface KnockdSettings {
  readonly useSyslog: boolean;
  readonly logFile: string | undefined;
  readonly pidFile: string | undefined;
  readonly interface: string | undefined;
}

/** Something that knockd would not start with. */
export interface KnockdFault {
  readonly code: ProblemCode;
  readonly line: number;
  /** The section it lies in; undefined before the first one. */
  readonly section: string | undefined;
  /** What knockd 0.8 prints. It may hold a step, so it is for the terminal of whoever starts the program. */
  readonly knockdWords: string;
}

/** A whole file. */
export interface KnockdConf {
  readonly settings: KnockdSettings;
  /** Doors without a fault, in the order of the file. */
  readonly doors: readonly KnockdDoor[];
  /** In the order in which knockd would find them, if it went on: lines first, then doors without a sequence, then targets. */
  readonly faults: readonly KnockdFault[];
}

/**
 * Reads a knockd.conf. Pure; never throws, whatever the text holds. Without the one-time files it is not asked whether they exist
 * and have a line left.
 */
export function readKnockdConf(text: string, oneTimeFiles?: OneTimeFiles): KnockdConf {
  const reader = new ConfReader(oneTimeFiles);
  for (const line of readKnockdLines(text)) reader.read(line);
  return reader.finish();
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type DoorDraft = Mutable<Omit<KnockdDoor, "lines">> & {
  lines: Partial<Record<KnockdKey, number>>;
  isFaulty: boolean;
  targetText: string | undefined;
};

/** Keys as they stand in files, in upper case; some have two names. */
const doorKeys: Readonly<Record<string, KnockdKey | undefined>> = {
  ...Object.fromEntries(knockdKeys.map((key) => [key.toUpperCase(), key])),
  TIMEOUT: "Seq_Timeout",
  COMMAND: "Start_Command",
  COMMAND_6: "Start_Command_6",
};
const optionKeys: Readonly<Record<string, "logFile" | "pidFile" | "interface" | undefined>> = {
  LOGFILE: "logFile",
  PIDFILE: "pidFile",
  INTERFACE: "interface",
};

class ConfReader {
  private readonly settings: Mutable<KnockdSettings> = {
    useSyslog: false,
    logFile: undefined,
    pidFile: undefined,
    interface: undefined,
  };
  private readonly doors: DoorDraft[] = [];
  private readonly faults: KnockdFault[] = [];
  /** The section that lines belong to: a door, `[options]`, or none. */
  private section: DoorDraft | "options" | undefined;
  private readonly oneTimeFiles: OneTimeFiles | undefined;

  constructor(oneTimeFiles: OneTimeFiles | undefined) {
    this.oneTimeFiles = oneTimeFiles;
  }

  read(line: KnockdLine): void {
    if (line.kind === "section") this.begin(line);
    else if (this.section === undefined)
      this.fault(line.line, "knockd-no-section", `config: line ${line.line}: all directives must belong to a section`);
    else if (line.kind === "word") this.word(line);
    else if (this.section === "options") this.option(line);
    else this.doorLine(this.section, line);
  }

  finish(): KnockdConf {
    for (const door of this.doors) {
      if (door.isFaulty || door.steps !== undefined || door.oneTimeFile !== undefined) continue;
      this.doorFault(door, "line", "knockd-no-sequence", `error: section '${door.name}' has an empty knock sequence`);
    }
    for (const door of this.doors) this.useTarget(door);
    const doors = this.doors.filter((door) => !door.isFaulty);
    return {
      settings: this.settings,
      doors: doors.map(({ isFaulty: _, targetText: __, ...door }) => door),
      faults: this.faults,
    };
  }

  private begin({ line, name }: KnockdLine & { kind: "section" }): void {
    if (name === "options") {
      this.section = "options";
      return;
    }
    this.section = newDoor(name, line);
    if (name === "")
      this.doorFault(this.section, line, "knockd-section-name", `config: line ${line}: bad section name`);
    this.doors.push(this.section);
  }

  private word({ line, key }: KnockdLine & { kind: "word" }): void {
    if (key === "USESYSLOG") this.settings.useSyslog = true;
    else this.syntaxFault(line);
  }

  private option({ line, key, value }: KnockdLine & { kind: "setting" }): void {
    const option = optionKeys[key];
    if (option === undefined) this.syntaxFault(line);
    else this.settings[option] = value;
  }

  private doorLine(door: DoorDraft, { line, key: keyText, value }: KnockdLine & { kind: "setting" }): void {
    const key = Object.hasOwn(doorKeys, keyText) ? doorKeys[keyText] : undefined;
    if (key === undefined) {
      this.syntaxFault(line);
      return;
    }
    door.lines[key] = line;
    this.set(door, key, value, line);
  }

  private set(door: DoorDraft, key: KnockdKey, value: string, line: number): void {
    switch (key) {
      case "Sequence":
        this.take(readSteps(value), door, line, (steps) => {
          Object.assign(door, { steps, oneTimeFile: undefined, oneTime: undefined });
        });
        return;
      case "One_Time_Sequences":
        this.useOneTimeFile(door, value, line);
        return;
      case "Seq_Timeout":
        door.timeoutSeconds = readNumber(value);
        return;
      case "TCPFlags":
        this.take(readFlags(door.flags, value), door, line, (flags) => {
          door.flags = flags;
        });
        return;
      case "Target":
        door.targetText = value;
        return;
      case "Cmd_Timeout":
        door.commandTimeoutSeconds = readNumber(value);
        return;
      default:
        door[commandFields[key]] = value;
    }
  }

  private useOneTimeFile(door: DoorDraft, file: string, line: number): void {
    Object.assign(door, { steps: undefined, oneTimeFile: file, oneTime: undefined });
    if (this.oneTimeFiles === undefined) return;
    const text = Object.hasOwn(this.oneTimeFiles, file) ? this.oneTimeFiles[file] : undefined;
    const current = text === undefined ? undefined : readOneTimeLine(text);
    if (current !== undefined) {
      door.steps = current.steps;
      door.oneTime = { file, line: current.line, text: current.text, next: current.next };
    } else if (text === undefined) {
      this.doorFault(door, line, "one-time-missing", `${file}: No such file or directory`);
    } else {
      const words = `no more sequences left in the one time sequences file for door ${door.name} --> disabling the door`;
      this.doorFault(door, line, "one-time-exhausted", words);
    }
  }

  /** The capture filter, in which knockd finds an unreadable target, is made when all is read. */
  private useTarget(door: DoorDraft): void {
    if (door.targetText === undefined) return;
    this.take(readTarget(door.targetText), door, door.lines.Target ?? door.line, (address) => {
      door.target = address ?? "never";
    });
  }

  private take<Value>(read: KnockdValue<Value>, door: DoorDraft, line: number, use: (value: Value) => void): void {
    if ("value" in read) use(read.value);
    else this.doorFault(door, line, wrongCodes[read.wrong], wrongWords[read.wrong](door.name, line, read.text));
  }

  private syntaxFault(line: number): void {
    if (typeof this.section === "object") this.section.isFaulty = true;
    this.fault(line, "knockd-syntax", `config: line ${line}: syntax error`);
  }

  private doorFault(door: DoorDraft, at: number | "line", code: ProblemCode, knockdWords: string): void {
    door.isFaulty = true;
    this.faults.push({ code, line: at === "line" ? door.line : at, section: door.name, knockdWords });
  }

  private fault(line: number, code: ProblemCode, knockdWords: string): void {
    const section = typeof this.section === "object" ? this.section.name : this.section;
    this.faults.push({ code, line, section, knockdWords });
  }
}

const commandFields = {
  Start_Command: "startCommand",
  Start_Command_6: "startCommandV6",
  Stop_Command: "stopCommand",
  Stop_Command_6: "stopCommandV6",
} as const;

const wrongCodes: Readonly<Record<KnockdWrong, ProblemCode>> = {
  "too-many-ports": "knockd-steps-too-many",
  "port-out-of-range": "knockd-port",
  "protocol-unknown": "knockd-protocol",
  "flag-unknown": "knockd-flag",
  "target-unreadable": "knockd-target",
};

const wrongWords: Readonly<Record<KnockdWrong, (section: string, line: number, text: string) => string>> = {
  "too-many-ports": (section) => `config: section ${section}: too many ports in knock sequence`,
  "port-out-of-range": (section, _, text) => `config: section ${section}: port ${text} is invalid`,
  "protocol-unknown": (section) => `config: section ${section}: unknown protocol in knock sequence`,
  "flag-unknown": (_, line, text) => `config: line ${line}: unrecognized flag "${text}"`,
  "target-unreadable": (_, __, text) => `pcap_compile: ${text}`,
};

function newDoor(name: string, line: number): DoorDraft {
  return {
    name,
    line,
    lines: {},
    steps: undefined,
    oneTimeFile: undefined,
    oneTime: undefined,
    timeoutSeconds: 25,
    flags: { must: 0, mustNot: 0 },
    target: "any",
    targetText: undefined,
    startCommand: undefined,
    startCommandV6: undefined,
    stopCommand: undefined,
    stopCommandV6: undefined,
    commandTimeoutSeconds: 10,
    isFaulty: false,
  };
}
