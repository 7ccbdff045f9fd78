/** What the nftables stage tells; observability implements it. */
export interface GateReport {
  /** One transaction went through or failed. */
  transaction(result: "ok" | "failed", seconds: number): void;
  /** Somebody else changed the table; one sentence each, for the log. */
  drift(differences: readonly string[]): void;
  /** The table was found as wanted, or made so. */
  synced(): void;
  /** The table is as wanted (or not, and why); the health endpoint shows it. */
  intact(reason: string | undefined): void;
  /** The table is kept as text for the next boot (undefined), or not, and why. */
  kept(reason: string | undefined): void;
  /** One sentence for the log: degraded, but going on. */
  warned(message: string): void;
}
