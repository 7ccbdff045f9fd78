import type { Clock, Timer } from "../clock.ts";
import type { ConfigDocument, ConfigSource } from "./config-source.ts";

/** What one source last had that was sound. */
export interface KeptSnapshot {
  readonly documents: readonly ConfigDocument[];
  /**
   * Names of policies in it that must not come into force again: they are not in force any more, or in a later version that
   * could not be kept, because it stands beside a policy whose own later version was rejected.
   */
  readonly withheld: readonly string[];
}

/** By source, as `sourceKey` names it. */
export type KeptBySource = ReadonlyMap<string, KeptSnapshot>;

/** Where snapshots outlive the agent. */
export interface SnapshotStore {
  /** Empty where there is none. Throws when it cannot be read. */
  read(): KeptBySource;
  /** Replaces what is there, or throws and leaves it. */
  write(kept: KeptBySource): void;
}

export interface KeptSnapshotsOptions {
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** One sentence when the store fails; not again while it fails for the same reason. */
  readonly warned: (message: string) => void;
}

/** A disk that was full may have room again. */
const writeAgainMs = 30_000;

/**
 * The last sound snapshot of each source, kept over restarts, for a start at which a source has nothing to be believed. It
 * never stands beside what its source has now that can be believed: as soon as there is that, it replaces what was kept.
 */
export class KeptSnapshots {
  private readonly options: KeptSnapshotsOptions;
  private kept: KeptBySource | undefined;
  private written: string | undefined;
  private told: string | undefined;
  private again: Timer | undefined;

  constructor(options: KeptSnapshotsOptions) {
    this.options = options;
  }

  /** What was kept of a source; undefined where nothing was. */
  of(source: ConfigSource): KeptSnapshot | undefined {
    this.kept ??= this.read();
    return this.kept.get(sourceKey(source));
  }

  /** Keeps these, and nothing of any other source. */
  keep(snapshots: ReadonlyMap<ConfigSource, KeptSnapshot>): void {
    this.kept = new Map([...snapshots].map(([source, snapshot]) => [sourceKey(source), snapshot]));
    this.write(this.kept);
  }

  /** Tries no more; idempotent. */
  close(): void {
    this.again?.cancel();
  }

  private read(): KeptBySource {
    try {
      return this.options.store.read();
    } catch (error) {
      this.warn(`the policies kept for a restart could not be read: ${(error as Error).message}`);
      return new Map();
    }
  }

  private write(kept: KeptBySource): void {
    this.again?.cancel();
    const text = JSON.stringify([...kept]);
    if (text === this.written) return;
    try {
      this.options.store.write(kept);
      this.written = text;
      this.told = undefined;
    } catch (error) {
      this.warn(`the policies could not be kept for a restart: ${(error as Error).message}`);
      this.again = this.options.clock.after(writeAgainMs, () => this.write(kept));
    }
  }

  private warn(message: string): void {
    if (message !== this.told) this.options.warned(message);
    this.told = message;
  }
}

/** A source that reads from somewhere else is another one: what was kept of it says nothing of this one. */
function sourceKey({ name, origin }: ConfigSource): string {
  return origin === undefined ? name : `${name} ${origin}`;
}
