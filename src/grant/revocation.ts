import { type Address, sameAddress } from "../policy/address.ts";
import type { PolicyId } from "../policy/policy.ts";
import { formatPort, type Port } from "../policy/port.ts";
import type { LedgerView } from "./commit-plan.ts";
import type { GrantRequest } from "./grant-request.ts";
import { grantKey, type LedgerEntry } from "./ledger.ts";

/** What somebody wants closed: all that a source has open, or what some policies opened for it. */
export class Revocation {
  private readonly source: Address;
  private readonly isChosen: (policy: PolicyId) => boolean;
  /** What was open of it when it was asked for. */
  private readonly concerned: readonly LedgerEntry[];

  constructor(source: Address, entries: Iterable<LedgerEntry>, isChosen: (policy: PolicyId) => boolean) {
    this.source = source;
    this.isChosen = isChosen;
    this.concerned = [...entries].filter(
      (entry) => sameAddress(entry.source, source) && [...entry.deadlines.keys()].some(isChosen),
    );
  }

  /** How many ports are concerned. */
  get size(): number {
    return this.concerned.length;
  }

  /** One for each policy that holds one of them open. */
  requests(): readonly GrantRequest[] {
    const portsOf = new Map<PolicyId, Port[]>();
    for (const { deadlines, port } of this.concerned)
      for (const policy of [...deadlines.keys()].filter(this.isChosen))
        portsOf.set(policy, [...(portsOf.get(policy) ?? []), port]);
    const { source } = this;
    return [...portsOf].map(([policy, ports]) => ({ kind: "close", policy, source, ports, cause: "socket" }));
  }

  /** Throws a sentence where one of them is still open. */
  check(ledger: LedgerView): void {
    const isHeld = ({ port, deadlines }: LedgerEntry) => {
      const left = ledger.get(grantKey(this.source, port))?.deadlines;
      return [...deadlines.keys()].some((id) => this.isChosen(id) && (left?.has(id) ?? false));
    };
    const ports = this.concerned.filter(isHeld).map(({ port }) => formatPort(port));
    if (ports.length > 0)
      throw new Error(`nftables failed and ${ports.join(", ")} is still open: it is tried again for some seconds`);
  }
}
