/**
 * Decides which configuration is in force. What it guards against is one thing: a port that becomes unguarded by a
 * mistake is an open port. Therefore
 *
 * | what comes | what happens |
 * |---|---|
 * | something cannot be read, or may be a policy and is not valid YAML | refused as a whole; all that is in force stays |
 * | a policy is rejected, the rest is sound | the rest is taken; an accepted version of the rejected policy stays in force |
 * | a policy in force is not named any more, in the extreme none is | read a second time after a second, then believed |
 * | nothing has changed in meaning | reported, not applied again |
 * | at the start something cannot be read | the rest is applied, as nothing is in force yet, and refused in words |
 *
 * The price: a typing error in one file holds up changes in the others, and a door whose policy was broken on purpose
 * stays until the policy is deleted or mended. Both are told.
 */
import { createHash } from "node:crypto";
import type { Clock, Timer } from "../clock.ts";
import { type Compilation, type CompileOptions, compile } from "../policy/compile.ts";
import type { NodeLabels } from "../policy/node-selector.ts";
import { portKey } from "../policy/port.ts";
import type { Problem } from "../policy/problem.ts";
import type { ConfigReport } from "./config-report.ts";
import type { ConfigDocument, ConfigSource, Snapshot } from "./config-source.ts";

/** What the keeper works with. */
export interface ConfigKeeperOptions {
  /** Their documents count in this order. */
  readonly sources: readonly ConfigSource[];
  readonly compileOptions: Omit<CompileOptions, "standing" | "nodeLabels">;
  /** This node's labels as they are now; undefined where nobody knows them. */
  readonly nodeLabels?: (() => NodeLabels | undefined) | undefined;
  readonly clock: Clock;
  readonly report: ConfigReport;
  /**
   * Brings a compilation into force; calls never overlap. When it rejects, the one before counts as still in force. `isWhole`
   * is false only until a first snapshot without any fault has come: the configuration may then lack policies.
   */
  readonly apply: (compilation: Compilation, isWhole: boolean) => Promise<void>;
}

/** How long to wait before what has vanished is looked for again, and before a failed `apply` is tried again. */
const secondLookMs = 1000;
const applyAgainMs = 5000;

/** Takes snapshots from all sources, compiles them together, and keeps the last good compilation in force. */
export class ConfigKeeper {
  private readonly options: ConfigKeeperOptions;
  private readonly snapshots = new Map<ConfigSource, Snapshot>();
  private current: Compilation | undefined;
  /** Whether a snapshot without any fault has ever been in force. */
  private everWhole = false;
  private lastSeen: string | undefined;
  private started = false;
  private closed = false;
  private queued = false;
  private work: Promise<void> = Promise.resolve();
  private waiting: { readonly timer: Timer; readonly done: () => void } | undefined;
  private again: Timer | undefined;

  constructor(options: ConfigKeeperOptions) {
    this.options = options;
  }

  /** What is in force; undefined before the first `apply` has succeeded. */
  get lastGood(): Compilation | undefined {
    return this.current;
  }

  /** Resolves when the first configuration is in force; rejects when `apply` does. */
  async start(): Promise<void> {
    for (const source of this.options.sources) {
      await source.start((snapshot) => {
        this.snapshots.set(source, snapshot);
        if (this.started) this.take();
      });
    }
    this.started = true;
    await this.enqueue(() => this.weigh());
  }

  /** Reads every source again at once, and reports even if nothing has changed. */
  async reread(): Promise<void> {
    this.lastSeen = undefined;
    await Promise.all(this.options.sources.map((source) => source.reread()));
    this.take();
    await this.work;
  }

  /** Something beside the snapshots has changed: the labels of the node. */
  weighAgain(): void {
    if (this.started) this.take();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.again?.cancel();
    this.waiting?.timer.cancel();
    this.waiting?.done();
    await Promise.all(this.options.sources.map((source) => source.close()));
    await this.work;
  }

  /** However many snapshots arrive meanwhile, they are weighed once, together. */
  private take(): void {
    if (this.queued || this.closed) return;
    this.queued = true;
    void this.enqueue(async () => {
      this.queued = false;
      await this.weigh().catch((error: unknown) => this.applyLater(error));
    });
  }

  /** One after the other; a failure is the caller's and does not stop the next. */
  private enqueue(task: () => Promise<void>): Promise<void> {
    const done = this.work.then(() => (this.closed ? undefined : task()));
    this.work = done.catch(() => {});
    return done;
  }

  private async weigh(): Promise<void> {
    const documents = this.newDocuments();
    if (documents === undefined) return;
    let compilation = this.compile(documents);
    if (this.faults(compilation).length === 0 && this.loses(compilation)) {
      await this.wait(secondLookMs);
      if (this.closed) return;
      await Promise.all(this.options.sources.map((source) => source.reread()));
      compilation = this.compile(this.newDocuments() ?? documents);
    }
    await this.decide(compilation);
  }

  private async decide(compilation: Compilation): Promise<void> {
    const faults = this.faults(compilation);
    if (faults.length > 0 && (this.everWhole || this.loses(compilation))) {
      this.options.report.refused(`${faults.join(" ")} The configuration in force stays.`);
      return;
    }
    const isWhole = faults.length === 0;
    const isNews = this.current === undefined || meaningOf(compilation) !== meaningOf(this.current);
    if (isNews || (isWhole && !this.everWhole)) await this.options.apply(compilation, isWhole);
    this.current = compilation;
    if (faults.length > 0) {
      this.options.report.refused(`${faults.join(" ")} What could be read is in force.`);
      return;
    }
    this.everWhole = true;
    const { policies, rejected, problems } = compilation;
    this.options.report.accepted(policies.length, rejected, problems);
  }

  private applyLater(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.lastSeen = undefined;
    this.options.report.refused(`The new configuration could not be put in force (${reason}); it is tried again.`);
    this.again?.cancel();
    this.again = this.options.clock.after(applyAgainMs, () => this.take());
  }

  /** All documents in the order of their sources; undefined when nothing has changed since they were last asked for. */
  private newDocuments(): readonly ConfigDocument[] | undefined {
    const snapshots = this.options.sources.map((source) => this.snapshots.get(source));
    const seen = createHash("sha256")
      .update(JSON.stringify([snapshots, this.options.nodeLabels?.()]))
      .digest("hex");
    if (seen === this.lastSeen) return undefined;
    this.lastSeen = seen;
    return snapshots.flatMap((snapshot) => snapshot?.documents ?? []);
  }

  private compile(documents: readonly ConfigDocument[]): Compilation {
    const { compileOptions, nodeLabels } = this.options;
    return compile(documents, {
      ...compileOptions,
      nodeLabels: nodeLabels?.(),
      standing: this.current?.policies ?? [],
    });
  }

  /** Why the snapshots are not to be believed as a whole, a few sentences. */
  private faults(compilation: Compilation): readonly string[] {
    const failures = this.options.sources.flatMap((source) => this.snapshots.get(source)?.failures ?? []);
    return [...failures, ...compilation.unreadable.map(sentenceOf)].slice(0, mostFaults);
  }

  /** Whether a policy in force is not even named any more, or a port would be guarded no longer: the file may be half written. */
  private loses(compilation: Compilation): boolean {
    if (this.current === undefined) return false;
    const guarded = new Set(compilation.guarded.map(portKey));
    return (
      this.current.policies.some((policy) => !compilation.names.has(policy.name)) ||
      this.current.guarded.some((port) => !guarded.has(portKey(port)))
    );
  }

  private wait(delayMs: number): Promise<void> {
    return new Promise((done) => {
      this.waiting = { timer: this.options.clock.after(delayMs, done), done };
    });
  }
}

/** As many faults as are told; the first is usually the cause of the others. */
const mostFaults = 5;

function sentenceOf({ place, message }: Problem): string {
  return `${place.origin}:${place.line}: ${message}`;
}

/** The same text for compilations that need not be applied again. Fingerprints leave the decoys out, the filter needs them. */
function meaningOf({ policies, guarded, cutting }: Compilation): string {
  const meanings = policies.map(({ fingerprint, opensBy, closesBy }) => [
    fingerprint,
    opensBy.decoys,
    closesBy?.decoys,
  ]);
  return JSON.stringify([meanings, guarded, cutting]);
}
