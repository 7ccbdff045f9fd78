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
 * | at the start a source cannot be read | what was kept of it before the restart is taken in its place, and refused in words |
 * | and nothing was kept of it | the rest is applied, as nothing is in force yet, and refused in words |
 *
 * A restart is no other thing than a reload: what was kept also counts as what was in force, so that a policy rejected now
 * keeps its door, and one that is not named any more is looked for a second time. The price: a typing error in one file holds up changes in the others, and a door whose policy was broken on purpose
 * stays until the policy is deleted or mended. Both are told.
 */
import { createHash } from "node:crypto";
import type { Clock, Timer } from "../clock.ts";
import { type Compilation, type CompileOptions, compile } from "../policy/compile.ts";
import { portKey } from "../policy/port.ts";
import type { ConfigReport } from "./config-report.ts";
import type { ConfigDocument, ConfigSource, Snapshot } from "./config-source.ts";
import type { KeptSnapshot, KeptSnapshots } from "./kept-snapshots.ts";
import { type Weighed, weigh, withoutPolicies } from "./weighing.ts";

/** What the keeper works with. */
export interface ConfigKeeperOptions {
  /** Their documents count in this order. */
  readonly sources: readonly ConfigSource[];
  readonly compileOptions: Omit<CompileOptions, "standing">;
  readonly clock: Clock;
  readonly report: ConfigReport;
  /** What the sources last had that was sound, over restarts. */
  readonly kept: KeptSnapshots;
  /**
   * Brings a compilation into force; calls never overlap. When it rejects, the one before counts as still in force. `isWhole`
   * is false only until a first snapshot without any fault has come: the configuration may then lack policies.
   */
  readonly apply: (compilation: Compilation, isWhole: boolean) => Promise<void>;
}

/** How long to wait before what has vanished is looked for again, and before a failed `apply` is tried again. */
const secondLookMs = 1000;
const applyAgainMs = 5000;

/** In the order of the sources. */
type Snapshots = ReadonlyMap<ConfigSource, Snapshot>;

const noSnapshot: Snapshot = { documents: [], failures: [] };

/** Takes snapshots from all sources, compiles them together, and keeps the last good compilation in force. */
export class ConfigKeeper {
  private readonly options: ConfigKeeperOptions;
  private readonly snapshots = new Map<ConfigSource, Snapshot>();
  private current: Compilation | undefined;
  /** What was in force before the restart, until something is in force now. */
  private before: Compilation | undefined;
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
    this.before = this.compileKept();
    await this.enqueue(() => this.weigh());
  }

  /** Reads every source again at once, and reports even if nothing has changed. */
  async reread(): Promise<void> {
    this.lastSeen = undefined;
    await Promise.all(this.options.sources.map((source) => source.reread()));
    this.take();
    await this.work;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.again?.cancel();
    this.waiting?.timer.cancel();
    this.waiting?.done();
    await Promise.all(this.options.sources.map((source) => source.close()));
    await this.work;
    this.options.kept.close();
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
    let snapshots = this.newSnapshots();
    if (snapshots === undefined) return;
    let weighed = this.compileAll(snapshots);
    if (weighed.faults.length === 0 && this.loses(weighed.compilation)) {
      await this.wait(secondLookMs);
      if (this.closed) return;
      await Promise.all(this.options.sources.map((source) => source.reread()));
      snapshots = this.newSnapshots() ?? snapshots;
      weighed = this.compileAll(snapshots);
    }
    await this.decide(weighed, snapshots);
  }

  private async decide({ compilation, faults, isRestored }: Weighed, snapshots: Snapshots): Promise<void> {
    const reason = faults.join(" ");
    const isWhole = faults.length === 0;
    if (!isWhole && this.current !== undefined && (this.everWhole || this.loses(compilation))) {
      this.options.report.refused(`${reason} The configuration in force stays.`);
      return;
    }
    const isNews = this.current === undefined || meaningOf(compilation) !== meaningOf(this.current);
    if (isNews || (isWhole && !this.everWhole)) await this.options.apply(compilation, isWhole);
    this.current = compilation;
    const { report } = this.options;
    const { policies, rejected, problems } = compilation;
    if (isWhole) {
      this.everWhole = true;
      report.accepted(policies.length, rejected, problems);
      this.keep(snapshots, compilation);
    } else if (isRestored)
      report.restored(policies.length, `${reason} What was kept of before is in force in its place.`);
    else report.refused(`${reason} What could be read is in force.`);
  }

  private applyLater(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.lastSeen = undefined;
    this.options.report.refused(`The new configuration could not be put in force (${reason}); it is tried again.`);
    this.again?.cancel();
    this.again = this.options.clock.after(applyAgainMs, () => this.take());
  }

  /** What the sources last delivered; undefined when nothing has changed since this was last asked. */
  private newSnapshots(): Snapshots | undefined {
    const snapshots = new Map(this.options.sources.map((source) => [source, this.snapshots.get(source) ?? noSnapshot]));
    const seen = createHash("sha256")
      .update(JSON.stringify([...snapshots.values()]))
      .digest("hex");
    if (seen === this.lastSeen) return undefined;
    this.lastSeen = seen;
    return snapshots;
  }

  private compile(documents: readonly ConfigDocument[]): Compilation {
    const standing = (this.current ?? this.before)?.policies ?? [];
    return compile(documents, { ...this.options.compileOptions, standing });
  }

  /** Once everything was sound, what is in memory stays in force, and nothing that was kept comes back. */
  private compileAll(snapshots: Snapshots): Weighed {
    const candidates = [...snapshots].map(([source, own]) => {
      return { own, kept: this.everWhole ? undefined : this.options.kept.of(source) };
    });
    return weigh(candidates, (documents) => this.compile(documents));
  }

  /** What was in force before the restart, as far as it was kept; undefined where nothing was. */
  private compileKept(): Compilation | undefined {
    const kept = this.options.sources.flatMap((source) => this.options.kept.of(source) ?? []);
    const withheld = new Set(kept.flatMap((snapshot) => snapshot.withheld));
    const documents = kept.flatMap((snapshot) => snapshot.documents);
    return documents.length === 0
      ? undefined
      : withoutPolicies(this.compile(documents), ({ name }) => withheld.has(name));
  }

  /** Keeps the snapshots that have just come into force, over restarts. */
  private keep(snapshots: Snapshots, inForce: Compilation): void {
    const kept = [...snapshots].map(([source, { documents }]) => {
      const isOutdated = documents.some(({ origin }) => inForce.outdated.has(origin));
      const earlier = isOutdated ? this.options.kept.of(source) : undefined;
      return [source, earlier === undefined ? { documents, withheld: [] } : this.trim(earlier, inForce)] as const;
    });
    this.options.kept.keep(new Map(kept));
  }

  /** An earlier snapshot, for the versions in it that are still in force; later versions of others cannot be kept beside them. */
  private trim({ documents }: KeptSnapshot, inForce: Compilation): KeptSnapshot {
    const versions = new Set(inForce.policies.map(({ fingerprint }) => fingerprint));
    const { policies } = compile(documents, this.options.compileOptions);
    const stale = policies.filter(({ fingerprint }) => !versions.has(fingerprint));
    return { documents, withheld: stale.map(({ name }) => name) };
  }

  /** Whether a policy in force is not even named any more, or a port would be guarded no longer: the file may be half written. */
  private loses(compilation: Compilation): boolean {
    const before = this.current ?? this.before;
    if (before === undefined) return false;
    const guarded = new Set(compilation.guarded.map(portKey));
    return (
      before.policies.some((policy) => !compilation.names.has(policy.name)) ||
      before.guarded.some((port) => !guarded.has(portKey(port)))
    );
  }

  private wait(delayMs: number): Promise<void> {
    return new Promise((done) => {
      this.waiting = { timer: this.options.clock.after(delayMs, done), done };
    });
  }
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
