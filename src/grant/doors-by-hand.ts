import { type Address, sameAddress } from "../policy/address.ts";
import { formatPort } from "../policy/port.ts";
import { byHand, type Gate, type Grant } from "./grant.ts";
import { type EndedHold, grantKey, type Ledger } from "./ledger.ts";

/** What became of a wish to close: the doors that are closed now, and those that are not, `22/tcp` each. */
export interface ClosedByHand {
  readonly closed: readonly EndedHold[];
  readonly stillOpen: readonly string[];
}

/**
 * Elements of the kernel that are in no ledger: root has put them there with nft. The agent leaves them alone, as nobody's
 * policy tells when they should go; people see them, and can close them like any other door.
 */
export class DoorsByHand {
  private readonly gate: Gate;
  private readonly ledger: Pick<Ledger, "get">;

  constructor(gate: Gate, ledger: Pick<Ledger, "get">) {
    this.gate = gate;
    this.ledger = ledger;
  }

  /** All of them; only while nothing is on its way into the kernel. Rejects when the kernel cannot be asked. */
  async list(): Promise<readonly Grant[]> {
    const listed = await this.gate.listGrants();
    return listed.filter(({ source, port }) => this.ledger.get(grantKey(source, port)) === undefined);
  }

  /** Closes those of a source, at once or not at all. */
  async close(source: Address): Promise<ClosedByHand> {
    const doors = (await this.list()).filter((door) => sameAddress(door.source, source));
    if (doors.length === 0) return { closed: [], stillOpen: [] };
    const results = await this.gate.commit(doors.map(({ port }) => ({ kind: "close", source, port })));
    const isClosed = (_: Grant, at: number) => results[at]?.kind === "done";
    return {
      closed: doors.filter(isClosed).map(({ port }) => ({ source, port, hold: byHand, closed: true, letGo: true })),
      stillOpen: doors.filter((door, at) => !isClosed(door, at)).map(({ port }) => formatPort(port)),
    };
  }
}
