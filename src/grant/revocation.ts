import { type Address, sameAddress } from "../policy/address.ts";
import { formatPort, type Port } from "../policy/port.ts";
import type { GrantRequest } from "./grant-request.ts";
import type { HoldId } from "./hold.ts";
import { grantKey, type Ledger, type LedgerEntry } from "./ledger.ts";

/** What somebody wants closed: all that a source has open, or what some policies opened for it. */
export class Revocation {
  private readonly source: Address;
  private readonly isChosen: (hold: HoldId) => boolean;
  /** What was open of it when it was asked for. */
  private readonly concerned: readonly LedgerEntry[];

  constructor(source: Address, entries: Iterable<LedgerEntry>, isChosen: (hold: HoldId) => boolean) {
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

  /** One for each hold that keeps one of them open. */
  requests(): readonly GrantRequest[] {
    const portsOf = new Map<HoldId, Port[]>();
    for (const { deadlines, port } of this.concerned)
      for (const hold of [...deadlines.keys()].filter(this.isChosen))
        portsOf.set(hold, [...(portsOf.get(hold) ?? []), port]);
    const { source } = this;
    return [...portsOf].map(([hold, ports]) => ({ kind: "close", hold, source, ports, cause: "socket" }));
  }

  /** Throws a sentence where one of them is still open. */
  check(ledger: Pick<Ledger, "get">): void {
    const isHeld = ({ port, deadlines }: LedgerEntry) => {
      const left = ledger.get(grantKey(this.source, port))?.deadlines;
      return [...deadlines.keys()].some((id) => this.isChosen(id) && (left?.has(id) ?? false));
    };
    const ports = this.concerned.filter(isHeld).map(({ port }) => formatPort(port));
    if (ports.length > 0)
      throw new Error(`nftables failed and ${ports.join(", ")} is still open: it is tried again for some seconds`);
  }
}
