import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Timer } from "../clock.ts";
import type { Gate, Grant } from "../grant/grant.ts";
import { AdoptedConnections } from "./adopted-connections.ts";
import { BootFile } from "./boot-file.ts";
import { type ReadConnections, readConnections } from "./connection-adoption.ts";
import { type Baseline, baselineOf, driftOf, isOurs } from "./drift.ts";
import { KernelGate } from "./gate.ts";
import type { GateReport } from "./gate-report.ts";
import { doorKey, grantElement } from "./grant-element.ts";
import { Kernel } from "./kernel.ts";
import type { Nft, TableListing } from "./nft.ts";
import { isNftError } from "./nft-error.ts";
import type { NftElement } from "./objects.ts";
import { renderKey } from "./render.ts";
import { familyDigit, type GateSpec, type Ruleset, rulesetOf } from "./ruleset.ts";
import { planLoad, planRebuild } from "./table-plan.ts";

/** What a reconciler is made of. */
export interface ReconcilerParts {
  readonly nft: Nft;
  readonly clock: Clock;
  readonly report: GateReport;
  /** The ledger: what must be open when the table has to be put back. */
  readonly liveGrants: () => readonly Grant[];
  /** Somebody has deleted these elements: the ledger lets them go. */
  readonly acceptRevocation: (missing: readonly Grant[]) => void;
  /** Where the table is kept as text for a boot unit; undefined: nowhere. */
  readonly stateDir?: string | undefined;
  /** What is kept there of a spec; the spec itself unless told otherwise. */
  readonly forBoot?: ((spec: GateSpec) => GateSpec) | undefined;
  /** Reads the sockets of this network namespace; tests put others in their place. */
  readonly connections?: ReadConnections | undefined;
}

/** After a change by others the table is compared at most this often, and without one at least that often. */
const tickMs = 1000;
const compareEveryMs = 30_000;

/** Where nobody can tell whether nftables was changed, the table is compared this often. */
const blindCompareEveryMs = 5000;

/** A grant with less left may have run out in the kernel between its listing and now. */
const expiryMarginMicros = 250_000;

/** The wanted table, as far as it was loaded. */
interface Wanted {
  readonly spec: GateSpec;
  readonly ruleset: Ruleset;
}

/** Owns the table: loads what is wanted, and puts it back whenever it is not what it should be. */
export class Reconciler {
  /** Opens and closes for single sources; its work and the reconciler's never overlap. */
  readonly gate: Gate;
  readonly #parts: ReconcilerParts;
  readonly #kernel: Kernel;
  readonly #bootFile: BootFile | undefined;
  readonly #adopted: AdoptedConnections;
  #wanted: Wanted | undefined;
  /** What was last loaded successfully. */
  #loaded: GateSpec | undefined;
  #baseline: Baseline | undefined;
  #timer: Timer | undefined;
  #comparedAtMicros = 0;
  /** Whether the table was as wanted when it was last looked at. */
  #intact = false;
  /** How often nftables has failed in a row; how long to leave it alone follows from that. */
  #failures = 0;
  #closed = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#kernel = new Kernel(parts);
    this.gate = new KernelGate({ kernel: this.#kernel, clock: parts.clock, mend: () => this.#compare() });
    this.#bootFile = parts.stateDir === undefined ? undefined : new BootFile(parts.stateDir);
    this.#adopted = new AdoptedConnections(this.#kernel, parts.connections ?? readConnections, parts.report);
  }

  /**
   * Loads the table for the first time, and watches over it from then on. Rejects with NftError; it goes on trying, and may
   * be called again.
   */
  async start(spec: GateSpec): Promise<void> {
    if (this.#timer === undefined) this.#schedule(tickMs);
    await this.use(spec);
  }

  /** Takes another spec into force. Resolves when the kernel has it; rejects with NftError, and goes on trying. */
  use(spec: GateSpec): Promise<void> {
    return this.#kernel.exclusive(async () => {
      this.#wanted = { spec, ruleset: rulesetOf(spec) };
      await this.#load(await this.#kernel.list());
    });
  }

  /** Stops watching; the table stays. Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#kernel.exclusive(async () => undefined);
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer = this.#parts.clock.after(delayMs, () => {
      void this.#kernel
        .exclusive(() => this.#tick())
        .catch((error: Error) => this.#parts.report.warned(`the table could not be looked after: ${error.message}`))
        .finally(() => this.#schedule(Math.min(tickMs * 2 ** Math.max(0, this.#failures - 1), compareEveryMs)));
    });
  }

  async #tick(): Promise<void> {
    if (this.#closed || this.#wanted === undefined) return;
    const sinceMs = (this.#parts.clock.nowMicros() - this.#comparedAtMicros) / 1000;
    const changed = await this.#kernel.changedByOthers();
    const due = sinceMs >= (changed === undefined ? blindCompareEveryMs : compareEveryMs);
    if (changed === true || due || !this.#intact) await this.#compare();
    await this.#adopted.letGo(this.#parts.clock.nowMicros());
  }

  async #compare(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    await nextTurn(); // whoever waited for an earlier commit has heard of it, and the ledger is up to date
    const listing = await this.#guardedBy("the table cannot be listed", () => this.#kernel.list());
    this.#comparedAtMicros = this.#parts.clock.nowMicros();
    this.#acceptMissing(listing);
    const differences = driftOf(listing, wanted.ruleset, this.#baseline);
    if (differences.length === 0 && this.#intact) {
      this.#parts.report.synced();
      return this.#keep(wanted.spec);
    }
    if (differences.length > 0 && this.#baseline !== undefined) {
      this.#parts.report.drift(differences);
      this.#parts.report.intact(`the table is being put back: ${differences.join(", ")}`);
    }
    await this.#load(listing);
  }

  /** Elements that are gone from a set which is still ours were taken out by somebody. */
  #acceptMissing(listing: TableListing | undefined): void {
    const baseline = this.#baseline;
    if (listing === undefined || baseline === undefined) return;
    const enduring = this.#parts.clock.nowMicros() + expiryMarginMicros;
    const ours = ["granted4", "granted6"].filter((name) => isOurs(listing, name, baseline));
    const there = new Set(
      ours.flatMap((name) => listing.sets.get(name)?.elements.map(({ key }) => renderKey(key)) ?? []),
    );
    const missing = this.#parts.liveGrants().filter((grant) => {
      return (
        ours.includes(`granted${familyDigit(grant.source)}`) &&
        (grant.deadlineMicros ?? Infinity) > enduring &&
        !there.has(doorKey(grant.source, grant.port))
      );
    });
    if (missing.length > 0) this.#parts.acceptRevocation(missing);
  }

  async #load(listing: TableListing | undefined): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const { report } = this.#parts;
    await this.#guardedBy("the table could not be loaded", async () => {
      const adopted = this.#adopted.begin(wanted.spec, listing, this.#loaded);
      await this.#applyLoad(wanted.ruleset, listing, [...this.#liveElements(listing), ...adopted]);
      await this.#adopted.loaded(wanted.spec, listing, this.#loaded);
      this.#loaded = wanted.spec;
      const after = await this.#kernel.list();
      this.#baseline = undefined;
      this.#failures = 0; // nftables works: whoever undoes it again and again is put right every second all the same
      const differences = driftOf(after, wanted.ruleset, undefined);
      if (after === undefined || differences.length > 0)
        throw new Error(`somebody else changes it: ${differences.join(", ")}`);
      this.#baseline = baselineOf(after);
      this.#comparedAtMicros = this.#parts.clock.nowMicros();
    });
    this.#intact = true;
    report.synced();
    report.intact(undefined);
    this.#keep(wanted.spec);
  }

  /** For the next boot; tried again with every comparison, for a disk that was full may have room again. */
  #keep(spec: GateSpec): void {
    const kept = this.#parts.forBoot?.(spec) ?? spec;
    if (this.#bootFile !== undefined) this.#parts.report.kept(this.#bootFile.write(kept));
  }

  async #applyLoad(ruleset: Ruleset, listing: TableListing | undefined, live: readonly NftElement[]): Promise<void> {
    try {
      await this.#kernel.apply(planLoad(listing, ruleset, live));
    } catch (error) {
      if (!isNftError(error, "exists", "busy", "invalid", "not-found", "set-full")) throw error;
      await this.#kernel.apply(planRebuild(listing, ruleset, live));
    }
  }

  /** What the ledger wants open. From a set that is still ours nothing is missing that was not accepted as revoked. */
  #liveElements(listing: TableListing | undefined): NftElement[] {
    const nowMicros = this.#parts.clock.nowMicros();
    const baseline = this.#baseline;
    return this.#parts
      .liveGrants()
      .map((grant) => grantElement(grant, nowMicros))
      .filter((element) => element !== undefined)
      .filter(({ set }) => listing === undefined || baseline === undefined || !isOurs(listing, set, baseline));
  }

  async #guardedBy<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#intact = false;
      this.#failures++;
      this.#parts.report.intact(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  }
}
