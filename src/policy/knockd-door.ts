import type { Address } from "./address.ts";
import type { FlagRule, OneTimeLine } from "./policy.ts";
import type { PortKey } from "./port.ts";

/** Keys of a door, by the names that knockd's manual gives them. */
export const knockdKeys = [
  "Sequence",
  "One_Time_Sequences",
  "Seq_Timeout",
  "TCPFlags",
  "Target",
  "Start_Command",
  "Start_Command_6",
  "Cmd_Timeout",
  "Stop_Command",
  "Stop_Command_6",
] as const;
export type KnockdKey = (typeof knockdKeys)[number];

/** Which addresses a door's knock may go to: all local ones, one address, or none (a text that never matches). */
export type KnockdTarget = Address | "any" | "never";

/** One door: a section that is not `[options]`. Commands are as they stand in the file, `%IP%` and all. */
export interface KnockdDoor {
  /** As it stands between the brackets; need not be unique. */
  readonly name: string;
  /** Of its section header. */
  readonly line: number;
  /** Where each key that it has stands; the last line where it stands twice. */
  readonly lines: Readonly<Partial<Record<KnockdKey, number>>>;
  /** 1 to 32; a port may be 0. Undefined where they come from a one-time file that was not handed in. */
  readonly steps: readonly PortKey[] | undefined;
  /** A file with a sequence a line, each good for one use; as it stands in the knockd.conf. */
  readonly oneTimeFile: string | undefined;
  /** The line of it that counts now, whose steps are the door's; undefined where the file was not handed in. */
  readonly oneTime: OneTimeLine | undefined;
  /** From the first step. Zero and less: only a single step is in time. */
  readonly timeoutSeconds: number;
  readonly flags: FlagRule;
  readonly target: KnockdTarget;
  /** Undefined: not given; empty: given, and nothing is run. The v6 variants stand for the others where they are undefined. */
  readonly startCommand: string | undefined;
  readonly startCommandV6: string | undefined;
  readonly stopCommand: string | undefined;
  readonly stopCommandV6: string | undefined;
  /** Between start and stop command. */
  readonly commandTimeoutSeconds: number;
}
