import type { ChangeResult, Gate, Grant, GrantChange } from "../../src/grant/grant.ts";
import { type GrantKey, grantKey } from "../../src/grant/ledger.ts";

/** A gate in memory: what is open, every commit it was given, and which keys it refuses. */
export class FakeGate implements Gate {
  readonly open = new Map<GrantKey, Grant>();
  readonly commits: (readonly GrantChange[])[] = [];
  refuse: (change: GrantChange) => (ChangeResult & { kind: "refused" }) | undefined = () => undefined;
  broken: Error | undefined;

  async commit(changes: readonly GrantChange[]): Promise<readonly ChangeResult[]> {
    this.commits.push(changes);
    await Promise.resolve();
    if (this.broken !== undefined) throw this.broken;
    return changes.map((change) => this.refuse(change) ?? this.carryOut(change));
  }

  async listGrants(): Promise<readonly Grant[]> {
    return [...this.open.values()];
  }

  private carryOut(change: GrantChange): ChangeResult {
    if (change.kind === "open") this.open.set(grantKey(change.grant.source, change.grant.port), change.grant);
    else this.open.delete(grantKey(change.source, change.port));
    return { kind: "done" };
  }
}
