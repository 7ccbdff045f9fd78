import type { Knock } from "../decode/knock.ts";
import type { Address } from "../policy/address.ts";
import type { Policy, Sequence } from "../policy/policy.ts";

/** What a knock did to its source's progress in one sequence: the closed list, also a metric label. */
export const outcomes = ["advanced", "repeated", "completed", "reset", "expired", "ignored"] as const;
export type OutcomeKind = (typeof outcomes)[number];

/** A source has finished a sequence's steps. */
export interface Completion {
  readonly policy: Policy;
  readonly action: "open" | "close";
  /** A copy; the receiver may keep it. */
  readonly source: Address;
  /** The last knock's time, monotonic microseconds. */
  readonly atMicros: number;
  /** What names the last knock's packet: the same text wherever it, or a retransmission of it, is seen. */
  readonly packet: string;
}

/**
 * What the tracker tells. Called for every knock that concerns a sequence, thousands of times a second under attack:
 * implementations count and return, and copy what they keep. `step` is how many steps the source has done now, from 0;
 * never which port.
 */
export interface SequenceReport {
  outcome(kind: OutcomeKind, sequence: Sequence, step: number, knock: Knock): void;
  /** An entry was thrown out to stay within the bound. */
  evicted(count: number): void;
}

/** Follows every source through the sequences. The only state between decode and grant; hidden behind this so that another engine can take its place. */
export interface KnockEngine {
  /** Takes the policies now in force; the progress in unchanged ones (by fingerprint) stays. */
  usePolicies(policies: readonly Policy[]): void;
  /** Follows one knock. Completions come out synchronously, in order. */
  observe(knock: Knock): void;
  readonly trackedSources: number;
  readonly trackedSourcesLimit: number;
}
