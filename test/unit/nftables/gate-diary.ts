import type { GateReport } from "../../../src/nftables/gate-report.ts";

/** Writes down all that the nftables stage tells. */
export class GateDiary implements GateReport {
  readonly transactions: string[] = [];
  readonly drifts: string[] = [];
  readonly warnings: string[] = [];
  reason: string | undefined = "nothing was told";
  syncs = 0;

  transaction(result: "ok" | "failed"): void {
    this.transactions.push(result);
  }

  drift(differences: readonly string[]): void {
    this.drifts.push(...differences);
  }

  synced(): void {
    this.syncs++;
  }

  intact(reason: string | undefined): void {
    this.reason = reason;
  }

  kept(reason: string | undefined): void {
    if (reason !== undefined) this.warnings.push(reason);
  }

  warned(message: string): void {
    this.warnings.push(message);
  }
}
