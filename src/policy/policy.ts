import type { Address, Cidr } from "./address.ts";
import type { Port, PortKey } from "./port.ts";

/** Eight hexadecimal digits of a hash of namespace and name: short enough for a set element's comment. */
export type PolicyId = string;

/** What a TCP knock must and must not carry, as `tcpFlag` bits of src/decode/knock.ts. */
export interface FlagRule {
  readonly must: number;
  readonly mustNot: number;
}

export type Matching = "Tolerant" | "Knockd";
export type Established = "Keep" | "Cut";
export type Scope = "Node" | "Cluster";

/**
 * Steps to be followed by one source, and what they do when they are done. A policy has one that opens and may have one
 * that closes; each is followed on its own.
 */
export interface Sequence {
  readonly policy: PolicyId;
  readonly action: "open" | "close";
  /** 1 to 32 ports in order. Only a knockd.conf may name port 0. */
  readonly steps: readonly PortKey[];
  /** From the first knock: less is in time, this much is late. With 0 or less, which only a knockd.conf may say, a single step is in time. */
  readonly withinMicros: number;
  readonly flags: FlagRule;
  readonly matching: Matching;
  /** Watched ports that nobody knocks on; a hit resets this sequence alone. Never a step, a guarded or a served port. */
  readonly decoys: readonly PortKey[];
  /** Only knocks on this local address count; undefined: any. */
  readonly target: Address | undefined;
  /** Who may knock; never empty. */
  readonly sources: readonly Cidr[];
}

/** What a completion opens for its source. */
export interface Opening {
  /** 1 to 64 single ports, ascending by key, without repeats. */
  readonly ports: readonly Port[];
  /** Microseconds; 0: until closed. */
  readonly forMicros: number;
  readonly established: Established;
  readonly scope: Scope;
}

/**
 * One command; `%IP%` stands for the source. A list is a program with its arguments. A text, as a knockd.conf has it, is run by
 * `/bin/sh -c`; an empty one is no command, and takes the place of one all the same.
 */
export type CommandLine = string | readonly string[];

/** Commands of a policy. For an IPv6 source the v6 variant counts where there is one. */
export interface RunCommands {
  readonly opened?: CommandLine | undefined;
  readonly closed?: CommandLine | undefined;
  readonly openedV6?: CommandLine | undefined;
  readonly closedV6?: CommandLine | undefined;
  /** When `closed` runs where there is no opening; undefined: until closed, 0: at once. */
  readonly forMicros?: number | undefined;
}

/** One line of a file of one-time sequences. Who completes it uses it up: it has to be marked before the door opens. */
export interface OneTimeLine {
  /** As the knockd.conf names it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** As it stands in the file. */
  readonly text: string;
  /** The steps of the line after it, which are captured beforehand, so that no knock is missed when they count. */
  readonly next: readonly PortKey[];
}

/** What only a policy from a knockd.conf has. */
export interface KnockdOrigin {
  /** The door's name between the brackets, for knockd's log lines; need not be unique. */
  readonly door: string;
  /** Where its steps come from a one-time file. */
  readonly oneTime: OneTimeLine | undefined;
}

/** One validated KnockSequence, or a door of a knockd.conf; compiled, immutable. */
export interface Policy {
  readonly id: PolicyId;
  /** `namespace/name`; unique on a node. */
  readonly name: string;
  /** Of the KnockSequence in the Kubernetes API that it is; undefined where it comes from a text. */
  readonly uid: string | undefined;
  readonly opensBy: Sequence;
  readonly closesBy: Sequence | undefined;
  readonly opens: Opening | undefined;
  readonly run: RunCommands | undefined;
  /** Set where the policy is a door of a knockd.conf. */
  readonly knockd?: KnockdOrigin | undefined;
  /** The same text for the same meaning: a reload keeps the progress of policies whose fingerprint stays. */
  readonly fingerprint: string;
}

/** The sequences of a policy: the one that opens, and the one that closes where there is one. */
export function sequencesOf({ opensBy, closesBy }: Pick<Policy, "opensBy" | "closesBy">): Sequence[] {
  return closesBy === undefined ? [opensBy] : [opensBy, closesBy];
}
