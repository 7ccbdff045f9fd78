import type { ConfigText, WrittenText } from "../policy/document.ts";

/** One text of configuration: YAML with one or more KnockSequence documents, a knockd.conf, or an object of the API. */
export type ConfigDocument = ConfigText;

/** The complete raw configuration of one source, never a delta. */
export interface Snapshot {
  readonly documents: readonly ConfigDocument[];
  /** What could not be read, one sentence each. A snapshot with failures never replaces a good one. */
  readonly failures: readonly string[];
}

/** The snapshot of a source that reads texts. */
export interface WrittenSnapshot extends Snapshot {
  readonly documents: readonly WrittenText[];
}

/**
 * Where configuration comes from. Snapshots are complete. After `start` has resolved the first one was delivered; later
 * ones follow whenever something may have changed, equal ones included: the receiver compares.
 */
export interface ConfigSource {
  /** Short and stable, for logs: `files`, `crd`. */
  readonly name: string;
  /** Where it reads, for telling whether something that was kept is of this source; absent where the name says so. */
  readonly origin?: string;
  start(deliver: (snapshot: Snapshot) => void): Promise<void>;
  /** Reads again at once (SIGHUP, or an empty snapshot that is not believed) and delivers. */
  reread(): Promise<void>;
  /** Idempotent; nothing is delivered afterwards. */
  close(): Promise<void>;
}
