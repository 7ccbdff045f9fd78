import type { Clock } from "../clock.ts";
import type { Address } from "../policy/address.ts";
import type { Policy, PolicyId } from "../policy/policy.ts";
import { type Port, type PortKey, portKey } from "../policy/port.ts";
import type { ChangeResult, Refusal } from "./grant.ts";
import type { GrantReport } from "./grant-report.ts";
import type { CloseCause, ClusterWish, GrantRequest } from "./grant-request.ts";
import { type HoldId, policyOfHold } from "./hold.ts";
import type { EndedHold } from "./ledger.ts";

/** Refusals that mean the kernel failed, not that somebody asked too much. */
const failures: ReadonlySet<Refusal> = new Set(["kernel-error", "not-permitted"]);

/** Turns what happened to single ports into one event for each source and policy, with names and wall-clock times. */
export class GrantAnnouncer {
  private readonly report: GrantReport;
  private readonly clock: Clock;
  private names = new Map<PolicyId, string>();
  private counted = new Set<string>();

  constructor(report: GrantReport, clock: Clock) {
    this.report = report;
    this.clock = clock;
  }

  /** Takes the names of the policies in force; a policy that is gone keeps its name until the next change but one. */
  usePolicies(before: Iterable<Policy>, after: Iterable<Policy>): void {
    this.names = new Map([...before, ...after].map((policy) => [policy.id, policy.name]));
  }

  /** The name people know a policy by, of itself or of a hold through it; its id when it is not known. */
  nameOf(hold: HoldId): string {
    const id = policyOfHold(hold);
    return this.names.get(id) ?? id;
  }

  /** Ports opened by a knock. */
  opened(request: GrantRequest & { kind: "open" }, ports: readonly Port[], renewed: boolean): void {
    const now = this.clock.nowMicros();
    const leftMicros = request.deadlineMicros - now;
    this.report.grant({
      kind: renewed ? "renewed" : "added",
      source: request.source,
      policy: request.policy.name,
      ports,
      untilWallMicros: leftMicros === Infinity ? undefined : this.clock.wallMicros() + leftMicros,
      detail: "knock",
      latencySeconds: Math.max(0, now - request.atMicros) / 1e6,
    });
  }

  /** Ports that KnockGrants hold open now, by what that changes for whoever knows the door. */
  held(request: ClusterWish, kind: "added" | "renewed" | "shortened", ports: readonly Port[]): void {
    const leftMicros = request.deadlineMicros - this.clock.nowMicros();
    this.report.grant({
      kind,
      source: request.source,
      policy: request.policy.name,
      ports,
      untilWallMicros: leftMicros === Infinity ? undefined : this.clock.wallMicros() + leftMicros,
      detail: request.grant,
    });
  }

  /** Ports that stay closed, or could not be closed. */
  refused(policy: string, source: Address, ports: readonly Port[], result: ChangeResult & { kind: "refused" }): void {
    const kind = failures.has(result.reason) ? "failed" : "refused";
    this.report.grant({ kind, source, policy, ports, reason: result.reason, detail: result.detail });
  }

  /** Holds that have ended: one event for each source and policy that has let go of ports. */
  ended(holds: readonly EndedHold[], kind: "revoked" | "expired", detail?: CloseCause): void {
    const groups = new Map<string, Map<PortKey, EndedHold>>();
    for (const ended of holds) {
      if (!ended.letGo) continue;
      const key = `${ended.source.join(".")}|${policyOfHold(ended.hold)}`;
      const group = groups.get(key) ?? new Map<PortKey, EndedHold>();
      groups.set(key, group.set(portKey(ended.port), ended));
    }
    for (const group of groups.values()) {
      const [first, ...rest] = group.values();
      if (first === undefined) continue;
      const ports = [first, ...rest].map((ended) => ended.port);
      this.report.grant({ kind, source: first.source, policy: this.nameOf(first.hold), ports, detail });
    }
  }

  /** Live grants of each policy; one that has none any more is told once as zero. */
  counts(counts: ReadonlyMap<PolicyId, number>): void {
    const named = new Map([...counts].map(([id, count]) => [this.nameOf(id), count]));
    for (const name of this.counted) if (!named.has(name)) this.report.active(name, 0);
    for (const [name, count] of named) this.report.active(name, count);
    this.counted = new Set(named.keys());
  }
}
