/** One text of configuration: YAML with one or more KnockSequence documents, or a knockd.conf. */
export interface ConfigDocument {
  /** What a person calls it: a path. Used in messages and as the file of a problem. */
  readonly origin: string;
  readonly format: "yaml" | "knockd-conf";
  readonly text: string;
  /** With a knockd.conf: the texts of the one-time files that it names, by their names there; one that cannot be read is missing. */
  readonly oneTimeFiles?: Readonly<Record<string, string>> | undefined;
}

/** The complete raw configuration of one source, never a delta. */
export interface Snapshot {
  readonly documents: readonly ConfigDocument[];
  /** What could not be read, one sentence each. A snapshot with failures never replaces a good one. */
  readonly failures: readonly string[];
}

/**
 * Where configuration comes from. Snapshots are complete. After `start` has resolved the first one was delivered; later
 * ones follow whenever something may have changed, equal ones included: the receiver compares.
 */
export interface ConfigSource {
  /** Short and stable, for logs: `files`. */
  readonly name: string;
  /** Where it reads, for telling whether something that was kept is of this source; absent where the name says so. */
  readonly origin?: string;
  start(deliver: (snapshot: Snapshot) => void): Promise<void>;
  /** Reads again at once (SIGHUP, or an empty snapshot that is not believed) and delivers. */
  reread(): Promise<void>;
  /** Idempotent; nothing is delivered afterwards. */
  close(): Promise<void>;
}
