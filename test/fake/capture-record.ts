import type { CaptureReport } from "../../src/capture/packet-source.ts";

/** A capture report that keeps what it is told. */
export class CaptureRecord implements CaptureReport {
  readonly counts: Record<string, number> = {};
  readonly discards: Record<string, number> = {};
  readonly drops: Record<string, number> = {};
  readonly restarts: string[] = [];
  readonly states: { interfaces: readonly string[]; waitingFor: readonly string[] }[] = [];
  /** How the last child ended, with each state. */
  readonly troubles: (string | undefined)[] = [];
  readonly libraries: string[] = [];
  readonly warnings: string[] = [];

  packets(interfaceName: string, count: number): void {
    this.counts[interfaceName] = (this.counts[interfaceName] ?? 0) + count;
  }

  dropped(reason: string, count: number): void {
    this.drops[reason] = (this.drops[reason] ?? 0) + count;
  }

  discarded(reason: string, count: number): void {
    this.discards[reason] = (this.discards[reason] ?? 0) + count;
  }

  restarted(cause: string): void {
    this.restarts.push(cause);
  }

  capturing(interfaces: readonly string[], waitingFor: readonly string[], trouble?: string): void {
    this.states.push({ interfaces, waitingFor });
    this.troubles.push(trouble);
  }

  library(version: string): void {
    this.libraries.push(version);
  }

  warned(message: string): void {
    this.warnings.push(message);
  }
}
