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
  /** 1 to 32 ports in order. */
  readonly steps: readonly PortKey[];
  /** From the first knock: less is in time, this much is late. */
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

/** Commands of a policy, each a program with arguments; `%IP%` stands for the source. */
export interface RunCommands {
  readonly opened?: readonly string[] | undefined;
  readonly closed?: readonly string[] | undefined;
  readonly openedV6?: readonly string[] | undefined;
  readonly closedV6?: readonly string[] | undefined;
  /** When `closed` runs where there is no opening. */
  readonly forMicros?: number | undefined;
}

/** One validated KnockSequence, compiled, immutable. */
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
  /** The same text for the same meaning: a reload keeps the progress of policies whose fingerprint stays. */
  readonly fingerprint: string;
}

/** The sequences of a policy: the one that opens, and the one that closes where there is one. */
export function sequencesOf({ opensBy, closesBy }: Pick<Policy, "opensBy" | "closesBy">): Sequence[] {
  return closesBy === undefined ? [opensBy] : [opensBy, closesBy];
}
