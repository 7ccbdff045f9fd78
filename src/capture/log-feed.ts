/** What a feed tells. */
export interface LogReader {
  bytes(chunk: Uint8Array): void;
  /** The rest of the line that has begun will not come. */
  broken(): void;
  /** Why nothing can be read now, a sentence without its full stop; undefined: it can. Told on every change. */
  state(trouble: string | undefined): void;
  /** The log is read anew: what came in between may be lost. */
  restarted(cause: "crash"): void;
}

/** Where the bytes of a log come from, from now on: lines from before the start are not read. */
export interface LogFeed {
  /** For people and metrics: `log:/var/log/kern.log`. */
  readonly name: string;
  /** Resolves when a line written from now on will be read, or it is told why not. */
  start(reader: LogReader): Promise<void>;
  /** Idempotent; nothing is told afterwards. */
  close(): Promise<void>;
}
