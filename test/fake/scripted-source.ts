import type { ConfigReport } from "../../src/config-source/config-report.ts";
import type { ConfigSource, Snapshot } from "../../src/config-source/config-source.ts";
import type { KeptBySource, SnapshotStore } from "../../src/config-source/kept-snapshots.ts";

/** A source that delivers what the test puts into it. */
export class ScriptedSource implements ConfigSource {
  readonly name: string;
  readonly prefix: string;
  snapshot: Snapshot = { documents: [], failures: [] };
  rereads = 0;
  closed = false;
  private deliver: (snapshot: Snapshot) => void = () => {};

  constructor(prefix: string) {
    this.prefix = prefix;
    this.name = `script ${prefix}`;
  }

  /** Files by their texts. */
  holds(texts: readonly string[], failures: readonly string[] = []): void {
    const documents = texts.map((text, at) => ({ origin: `${this.prefix}${at}.yaml`, format: "yaml" as const, text }));
    this.snapshot = { documents, failures };
  }

  send(): void {
    this.deliver(this.snapshot);
  }

  async start(deliver: (snapshot: Snapshot) => void): Promise<void> {
    this.deliver = deliver;
    this.send();
  }

  async reread(): Promise<void> {
    this.rereads++;
    this.send();
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Remembers what was told, one line each. */
export class ConfigReportLog implements ConfigReport {
  readonly lines: string[] = [];
  accepted(accepted: number, rejected: number): void {
    this.lines.push(`accepted ${accepted}, rejected ${rejected}`);
  }
  refused(reason: string): void {
    this.lines.push(`refused: ${reason}`);
  }
  restored(accepted: number, reason: string): void {
    this.lines.push(`restored ${accepted}: ${reason}`);
  }
  warned(message: string): void {
    this.lines.push(`warned: ${message}`);
  }
}

/** Keeps snapshots as long as the test has it; fails when told so. */
export class MemoryStore implements SnapshotStore {
  kept: KeptBySource = new Map();
  writes = 0;
  broken: Error | undefined;

  read(): KeptBySource {
    if (this.broken !== undefined) throw this.broken;
    return this.kept;
  }

  write(kept: KeptBySource): void {
    this.writes++;
    if (this.broken !== undefined) throw this.broken;
    this.kept = new Map(JSON.parse(JSON.stringify([...kept])));
  }
}
