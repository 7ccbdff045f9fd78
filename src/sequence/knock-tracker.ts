import { type Knock, protocolNumber } from "../decode/knock.ts";
import { type Address, copyAddress, sameAddress } from "../policy/address.ts";
import { type Policy, type Sequence, sequencesOf } from "../policy/policy.ts";
import { type Entry, noEntry } from "./entry-arena.ts";
import { sequenceNumberLimit } from "./entry-index.ts";
import { packetName } from "./identity.ts";
import { KnockdGroup } from "./knockd-group.ts";
import type { Move, Role } from "./matcher.ts";
import { matchers } from "./matchers.ts";
import type { Completion, KnockEngine, SequenceReport } from "./outcome.ts";
import { ProgressTable } from "./progress-table.ts";
import { SourceHash } from "./source-hash.ts";
import { concerns, type FollowedSequence, followedSequence, type PortRole, watchedPorts } from "./watched-ports.ts";

/** How a tracker is made. */
export interface KnockTrackerOptions {
  /** How many entries, a source in a sequence each, are kept at most; half of them for sources at their first step. */
  readonly maxSources: number;
  readonly report: SequenceReport;
  /** Called before `observe` returns. */
  readonly complete: (completion: Completion) => void;
  /**
   * Whether a target is an address of this host. Asked only for targets that a `matching: Knockd` sequence names, since packets to
   * these are captured whether they are local or not. Default: they are.
   */
  readonly isLocal?: (target: Address) => boolean;
  /** Makes the table's hash predictable, for tests. */
  readonly seed?: number;
}

/**
 * Follows every source through the sequences of every policy, each sequence on its own. A knock on a port that no
 * sequence names costs one look-up; any other costs one look-up of the source for each sequence that watches the port. No
 * memory is allocated for a knock, except where it completes a sequence.
 */
export class KnockTracker implements KnockEngine {
  readonly #report: SequenceReport;
  readonly #complete: (completion: Completion) => void;
  readonly #table: ProgressTable;
  #sequences: ReadonlyMap<string, FollowedSequence> = new Map();
  /** Which numbers are in use, for the table. */
  #windows: ReadonlyMap<number, number> = new Map();
  #nextNumber = 0;
  /** By port key; undefined: nobody watches it. */
  #watched: readonly (readonly PortRole[] | undefined)[] = [];
  readonly #knockd: KnockdGroup;
  readonly #isLocal: (target: Address) => boolean;
  /** Targets of sequences with `matching: Knockd`. */
  #namedTargets: readonly Address[] = [];

  constructor(options: KnockTrackerOptions) {
    this.#report = options.report;
    this.#complete = options.complete;
    this.#isLocal = options.isLocal ?? (() => true);
    const hash = new SourceHash(options.seed);
    const windowOf = (number: number) => this.#windows.get(number);
    this.#table = new ProgressTable(options.maxSources, hash, windowOf, (count) => options.report.evicted(count));
    const step = (portRole: PortRole, entry: Entry, knock: Knock) => this.#follow(portRole, entry, knock);
    this.#knockd = new KnockdGroup(this.#table, step, ({ sequence }, knock) =>
      this.#report.outcome("ignored", sequence, 0, knock),
    );
  }

  get trackedSources(): number {
    return this.#table.size;
  }

  get trackedSourcesLimit(): number {
    return this.#table.limit;
  }

  /** Memory of the table, in bytes. */
  get bytes(): number {
    return this.#table.bytes;
  }

  usePolicies(policies: readonly Policy[]): void {
    if (this.#nextNumber + 2 * policies.length > sequenceNumberLimit) this.#beginNumbersAnew();
    const sequences = new Map<string, FollowedSequence>();
    for (const policy of policies) {
      for (const sequence of sequencesOf(policy)) this.#add(sequences, policy, sequence);
    }
    this.#sequences = sequences;
    const all = [...sequences.values()];
    this.#windows = new Map(all.map(({ number, windowMs }) => [number, windowMs]));
    const watched = new Array<readonly PortRole[] | undefined>(2 * 65536).fill(undefined);
    for (const [key, roles] of watchedPorts(all.filter((one) => !isKnockd(one)))) watched[key] = roles;
    this.#watched = watched;
    this.#knockd.use(all.filter(isKnockd));
    this.#namedTargets = all.filter(isKnockd).flatMap(({ sequence }) => sequence.target ?? []);
  }

  observe(knock: Knock): void {
    this.#table.sweep(knock.atMicros);
    const key = knock.protocol === protocolNumber.udp ? knock.port + 65536 : knock.port;
    const roles = this.#watched[key];
    const isInGroup = this.#knockd.watches(key);
    if (roles === undefined && !isInGroup) return;
    const isForeign = this.#namedTargets.length > 0 && this.#isForeign(knock.target);
    if (isInGroup) this.#knockd.observe(knock, isForeign);
    if (roles === undefined) return;
    for (let at = 0; at < roles.length; at++) this.#observeIn(roles[at] as PortRole, knock, isForeign);
  }

  #isForeign(target: Address): boolean {
    return this.#namedTargets.some((named) => sameAddress(named, target)) && !this.#isLocal(target);
  }

  #observeIn(portRole: PortRole, knock: Knock, isForeign: boolean): void {
    const { followed } = portRole;
    const isMeant = concerns(followed, knock, isForeign);
    const entry = isMeant ? this.#table.find(knock.source, followed.number) : noEntry;
    if (isMeant) this.#follow(portRole, entry, knock);
    else this.#report.outcome("ignored", followed.sequence, 0, knock);
  }

  /** One knock that counts, in one sequence. Where its source has no entry, a first step makes one. */
  #follow({ followed, role }: PortRole, found: Entry, knock: Knock): void {
    const { sequence, steps, windowMs, matcher } = followed;
    const entry = found === noEntry ? this.#newEntry(followed, role, knock) : found;
    if (entry === noEntry) {
      this.#report.outcome("ignored", sequence, 0, knock);
      return;
    }
    const retransmitted = this.#table.recognise(entry, role, knock, windowMs);
    const elapsedMicros = this.#table.elapsedMicros(entry, knock.atMicros);
    const inTime = elapsedMicros >= 0 && elapsedMicros < sequence.withinMicros;
    const move = matcher(this.#table.done(entry), steps, role, retransmitted, inTime);
    // knockd remembers what is under way and nothing else, so that a client's earlier knocks take no room from its next one.
    if (isKnockd(followed) && move.done % steps === 0) this.#table.remove(entry);
    else this.#apply(move, entry, knock);
    this.#tell(move, followed, knock);
  }

  #newEntry({ number, steps, windowMs }: FollowedSequence, role: Role, knock: Knock): Entry {
    if ((role & 1) === 0) return noEntry;
    return this.#table.add(knock.source, number, steps, windowMs, knock.atMicros);
  }

  #apply(move: Move, entry: Entry, knock: Knock): void {
    if (move.restartsClock) this.#table.beginAt(entry, knock.atMicros);
    if (move.remembersAs !== undefined) this.#table.remember(entry, move.remembersAs, knock);
    if (move.kind === "reset" || move.kind === "expired") this.#table.demote(entry, knock.atMicros);
    else if (move.kind !== "ignored") this.#table.touch(entry);
    this.#table.setDone(entry, move.done, knock.atMicros);
  }

  #tell(move: Move, followed: FollowedSequence, knock: Knock): void {
    const { sequence, policy, steps } = followed;
    const isComplete = move.kind === "completed";
    this.#report.outcome(move.kind, sequence, isComplete || move.done < steps ? move.done : 0, knock);
    if (!isComplete) return;
    const source = copyAddress(knock.source);
    this.#complete({ policy, action: sequence.action, source, atMicros: knock.atMicros, packet: packetName(knock) });
  }

  /** Follows a sequence, by its old number when nothing about it has changed: then the progress in it stays. */
  #add(sequences: Map<string, FollowedSequence>, policy: Policy, sequence: Sequence): void {
    const matcher = matchers[sequence.matching];
    const key = [policy.id, policy.name, sequence.action, sequence.steps.join(","), policy.fingerprint].join(" ");
    const number = this.#sequences.get(key)?.number ?? this.#nextNumber++;
    sequences.set(key, followedSequence(number, policy, sequence, matcher));
  }

  /** After 33 million changed sequences the numbers run out; all progress is lost, once. */
  #beginNumbersAnew(): void {
    this.#table.clear();
    this.#sequences = new Map();
    this.#nextNumber = 0;
  }
}

function isKnockd({ sequence }: FollowedSequence): boolean {
  return sequence.matching === "Knockd";
}
