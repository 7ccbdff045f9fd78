import type { Policy, PolicyId } from "../policy/policy.ts";
import { type Port, type PortKey, portKey } from "../policy/port.ts";
import type { EndedHold } from "./ledger.ts";

/** The policies in force, as far as the grant stage asks for them: which doors they open, and which of these cut connections. */
export class PoliciesInForce {
  private current: ReadonlyMap<PolicyId, Policy> = new Map();
  /** Ports of policies with `established: Cut`, of the last two configurations: a policy that goes still cuts. */
  private cuttingPorts: ReadonlySet<PortKey> = new Set();

  /** Replaces them; returns those that were in force. */
  use(policies: readonly Policy[]): ReadonlyMap<PolicyId, Policy> {
    const before = this.current;
    this.current = new Map(policies.map((policy) => [policy.id, policy]));
    const cutting = [...before.values(), ...policies].filter(({ opens }) => opens?.established === "Cut");
    this.cuttingPorts = new Set(cutting.flatMap(({ opens }) => opens?.ports.map(portKey) ?? []));
    return before;
  }

  all(): Iterable<Policy> {
    return this.current.values();
  }

  /** Whether one of them opens the port. */
  opens(policy: PolicyId, port: Port): boolean {
    return this.current.get(policy)?.opens?.ports.some((open) => portKey(open) === portKey(port)) ?? false;
  }

  /** Those of the doors that are closed now behind which connections must end too. */
  cutting(holds: readonly EndedHold[]): readonly EndedHold[] {
    return holds.filter(({ closed, port }) => closed && this.cuttingPorts.has(portKey(port)));
  }
}
