import { type Knock, protocolNumber } from "../decode/knock.ts";
import { type Address, contains, formatAddress, sameAddress } from "../policy/address.ts";
import type { Policy, PolicyId, Sequence } from "../policy/policy.ts";
import type { PortKey } from "../policy/port.ts";
import type { OutcomeKind, SequenceReport } from "../sequence/outcome.ts";
import { hasFlags } from "../sequence/watched-ports.ts";
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
  private policies: readonly Policy[] = [];

  /** `also` is told every outcome. */
  constructor(metrics: Metrics, hub: WatchHub, also?: Pick<SequenceReport, "outcome">) {
    this.also = also;
    this.metrics = metrics;
    this.hub = hub;
  }

  /** The policies in force, so that watchers read names. */
  usePolicies(policies: readonly Policy[]): void {
    this.names = new Map(policies.map((policy) => [policy.id, policy.name]));
    this.policies = policies;
  }

  /** The policies in force that take knocks from a source, or all of them. */
  takers(source: Address | undefined): readonly string[] {
    const taking = this.policies.filter(
      ({ opensBy }) => source === undefined || opensBy.sources.some((range) => contains(range, source)),
    );
    return taking.map(({ name }) => name);
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

/** Why a knock did what it did, for kinds that do not say it themselves. */
function reasonOf(kind: OutcomeKind, sequence: Sequence, knock: Knock): string | undefined {
  switch (kind) {
    case "reset":
      return sequence.decoys.includes(keyOf(knock)) ? "a decoy was hit" : "a step came out of order";
    case "ignored":
      return reasonToIgnore(sequence, knock);
    case "advanced":
    case "completed":
    case "expired":
    case "repeated":
      return undefined;
    default:
      return kind satisfies never;
  }
}

/** In the order in which the tracker looks; a first step that fits in all of these is ignored only for its target. */
function reasonToIgnore(sequence: Sequence, knock: Knock): string {
  if (!hasFlags({ sequence }, knock)) return "its TCP flags are not those asked for";
  if (sequence.target !== undefined && !sameAddress(sequence.target, knock.target))
    return "it was sent to another address than the target";
  if (!sequence.sources.some((cidr) => contains(cidr, knock.source))) return "its source may not knock here";
  if (sequence.steps[0] === keyOf(knock)) return "it was sent to an address of another host";
  return "nothing was begun: the first step did not come before it";
}

function keyOf(knock: Knock): PortKey {
  return (knock.protocol === protocolNumber.udp ? 65536 : 0) + knock.port;
}
