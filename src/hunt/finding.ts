import { type Address, formatAddress } from "../policy/address.ts";

/**
 * What was seen: `sequence`: several silent ports in order, then a port let the source in; `single`: one packet did;
 * `callback`: a packet to a silent port, and the host connected back to its sender.
 */
export const findingKinds = ["sequence", "single", "callback"] as const;
export type FindingKind = (typeof findingKinds)[number];

/** One suspected knock, all times that it was seen together. */
export interface Finding {
  readonly kind: FindingKind;
  readonly source: Address;
  readonly target: Address;
  /** In order, as `formatStep` has it. */
  readonly steps: readonly string[];
  /** `22/tcp`, the likeliest first: on the target, with `callback` on the source. */
  readonly opened: readonly string[];
  /** When the first step of the first and of the last time was seen, microseconds since the epoch. */
  readonly firstStamp: number;
  readonly lastStamp: number;
  readonly times: number;
  /** 0 to 100; see `weights`. */
  readonly score: number;
  /** Sentences without full stop: what speaks for it, then what speaks against it. */
  readonly reasons: readonly string[];
}

/** One object, for `-o json` and the log. Times are ISO 8601 in UTC. */
export function findingRecord(finding: Finding): Readonly<Record<string, unknown>> {
  const { kind, steps, opened, times, score, reasons } = finding;
  return {
    kind,
    source: formatAddress(finding.source),
    target: formatAddress(finding.target),
    steps,
    opened,
    first: isoTime(finding.firstStamp),
    last: isoTime(finding.lastStamp),
    times,
    score,
    reasons,
  };
}

/** ISO 8601 with milliseconds, in UTC. */
export function isoTime(stampMicros: number): string {
  return new Date(Math.floor(stampMicros / 1000)).toISOString();
}
