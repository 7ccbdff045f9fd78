import { adoptedElement, closedByListing, closedBySpec, type ReadConnections, toAdopt } from "./connection-adoption.ts";
import type { GateReport } from "./gate-report.ts";
import type { Kernel } from "./kernel.ts";
import type { TableListing } from "./nft.ts";
import type { NftElement } from "./objects.ts";
import { renderKey } from "./render.ts";
import type { GateSpec } from "./ruleset.ts";
import { Transaction } from "./transaction.ts";

/** How often it is looked whether adopted connections have ended. */
const lookEveryMicros = 3_000_000;

/**
 * The connections that ran before their port was closed. Conntrack may begin only with this table, and would take the next
 * packet of such a connection for the first of a new one. Each has an element until its socket ends. The element has no
 * timeout: an agent that is away must not cut an idle connection, and what it lets in is one connection, never an address.
 */
export class AdoptedConnections {
  readonly #kernel: Kernel;
  readonly #read: ReadConnections;
  readonly #report: GateReport;
  readonly #adopted = new Map<string, NftElement>();
  #lookedAtMicros = 0;

  constructor(kernel: Kernel, read: ReadConnections, report: GateReport) {
    this.#kernel = kernel;
    this.#read = read;
    this.#report = report;
  }

  /**
   * The elements that the load of this spec must have: those adopted before, by an earlier agent too, and the connections
   * to ports that neither the table in the kernel nor the spec loaded before had closed.
   */
  begin(spec: GateSpec, listing: TableListing | undefined, loaded: GateSpec | undefined): readonly NftElement[] {
    if (loaded === undefined) {
      const elements = ["adopted4", "adopted6"].flatMap((name) => listing?.sets.get(name)?.elements ?? []);
      for (const { set, key } of elements) this.#keep([{ kind: "element", set, key }]);
    }
    this.#keep(this.#newcomers(spec, listing, loaded));
    return [...this.#adopted.values()];
  }

  /** Right after the load: adopts what was established between reading the sockets and closing the port. */
  async loaded(spec: GateSpec, listing: TableListing | undefined, loaded: GateSpec | undefined): Promise<void> {
    const late = this.#newcomers(spec, listing, loaded).filter((element) => !this.#adopted.has(identity(element)));
    const transaction = new Transaction();
    for (const element of late) transaction.add(element);
    await this.#kernel.apply(transaction);
    this.#keep(late);
  }

  /** Removes the elements whose socket has ended; looks at most every three seconds, and not at all when there are none. */
  async letGo(nowMicros: number): Promise<void> {
    if (this.#adopted.size === 0 || nowMicros - this.#lookedAtMicros < lookEveryMicros) return;
    this.#lookedAtMicros = nowMicros;
    const running = new Set(this.#read().map((connection) => identity(adoptedElement(connection))));
    const ended = [...this.#adopted].filter(([key]) => !running.has(key));
    const transaction = new Transaction();
    for (const [, element] of ended) transaction.add(element);
    for (const [, element] of ended) transaction.delete(element);
    await this.#kernel.apply(transaction);
    for (const [key] of ended) this.#adopted.delete(key);
  }

  /** A host without a readable /proc still gets its gate: running connections are then conntrack's alone. */
  #newcomers(spec: GateSpec, listing: TableListing | undefined, loaded: GateSpec | undefined): NftElement[] {
    const before = [closedByListing(listing), ...(loaded === undefined ? [] : [closedBySpec(loaded)])];
    try {
      return toAdopt(this.#read(), closedBySpec(spec), before);
    } catch (error) {
      this.#report.warned(`running connections could not be read and may be cut: ${(error as Error).message}`);
      return [];
    }
  }

  #keep(elements: readonly NftElement[]): void {
    for (const element of elements) this.#adopted.set(identity(element), element);
  }
}

function identity(element: NftElement): string {
  return `${element.set} ${renderKey(element.key)}`;
}
