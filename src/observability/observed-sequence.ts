import { type Knock, protocolNumber } from "../decode/knock.ts";
import { formatAddress } from "../policy/address.ts";
import type { Policy, PolicyId, Sequence } from "../policy/policy.ts";
import type { PortKey } from "../policy/port.ts";
import type { OutcomeKind, SequenceReport } from "../sequence/outcome.ts";
import { isoTime } from "./audit-log.ts";
import type { Metrics } from "./metrics.ts";
import type { WatchEvent, WatchHub } from "./watch-hub.ts";

/**
 * The sequence stage's report. Called for every knock of a flood: counts and returns, unless somebody watches. What watchers
 * are told says how far a source is and why it fell back, never which port it was.
 */
export class ObservedSequence implements SequenceReport {
  private readonly also: Pick<SequenceReport, "outcome"> | undefined;
  private readonly metrics: Metrics;
  private readonly hub: WatchHub;
  private names: ReadonlyMap<PolicyId, string> = new Map();

  /** `also` is told every outcome. */
  constructor(metrics: Metrics, hub: WatchHub, also?: Pick<SequenceReport, "outcome">) {
    this.also = also;
    this.metrics = metrics;
    this.hub = hub;
  }

  /** The policies in force, so that watchers read names. */
  usePolicies(policies: readonly Policy[]): void {
    this.names = new Map(policies.map((policy) => [policy.id, policy.name]));
  }

  outcome(kind: OutcomeKind, sequence: Sequence, step: number, knock: Knock): void {
    this.metrics.knock(kind, knock);
    this.also?.outcome(kind, sequence, step, knock);
    if (this.hub.watched) this.hub.tell(knock.source, () => this.watchEvent(kind, sequence, step, knock));
  }

  evicted(count: number): void {
    this.metrics.evicted(count);
  }

  private watchEvent(kind: OutcomeKind, sequence: Sequence, step: number, knock: Knock): WatchEvent {
    return {
      time: isoTime(knock.stampMicros),
      kind,
      source: formatAddress(knock.source),
      policy: this.names.get(sequence.policy) ?? sequence.policy,
      step,
      steps: sequence.steps.length,
      closing: sequence.action === "close" ? true : undefined,
      reason: reasonOf(kind, sequence, knock),
    };
  }
}

/** Why a knock did what it did, for kinds where that is not plain. */
function reasonOf(kind: OutcomeKind, sequence: Sequence, knock: Knock): string | undefined {
  switch (kind) {
    case "reset":
      return sequence.decoys.includes(keyOf(knock)) ? "a decoy was hit" : "a step came out of order";
    case "expired":
      return "too slow: the window had run out";
    case "repeated":
      return "the packet was seen before, or is a repeat of the last step";
    case "ignored":
      return "it does not fit: nothing was begun, or flags, source or target do not match";
    case "advanced":
    case "completed":
      return undefined;
    default:
      return kind satisfies never;
  }
}

function keyOf(knock: Knock): PortKey {
  return (knock.protocol === protocolNumber.udp ? 65536 : 0) + knock.port;
}
