/**
 * All sequences with `matching: Knockd`. In knockd the doors of one source are not independent, and clients count on it: a port of
 * one door is a wrong step for another, and nothing begins while something is under way. For each packet:
 *
 * 1. It is seen when some sequence that it concerns (destination, source, TCP flags) has its port; every other packet is
 *    as if it had not been sent.
 * 2. Attempts of its source that are under way and in time, at sequences that accept the destination: wrong flags, ignored;
 *    the step expected, one further; else failed.
 * 3. If there was none, an attempt begins wherever the packet is the first step.
 *
 * In knockd an attempt that ends also takes those of other clients with it, and later doors' attempts of the same client; here
 * each is an entry of its own. A packet that is seen costs a look-up of its source in every sequence of the group, so a file of a
 * thousand doors costs some 50 microseconds a knock. An index of a source's attempts would save that and costs memory in each
 * entry; files have a few doors.
 */
import { type Knock, protocolNumber } from "../decode/knock.ts";
import type { PortKey } from "../policy/port.ts";
import { type Entry, noEntry } from "./entry-arena.ts";
import type { ProgressTable } from "./progress-table.ts";
import { accepts, concerns, type FollowedSequence, hasFlags, type PortRole, watchedPorts } from "./watched-ports.ts";

/** Carries out what a knock does to one sequence; the entry is `noEntry` where nothing was ever begun. */
export type Step = (portRole: PortRole, entry: Entry, knock: Knock) => void;

/** A sequence of the group, and what each of its ports is in it. */
interface Member {
  readonly followed: FollowedSequence;
  readonly roles: ReadonlyMap<PortKey, PortRole>;
  /** For ports that are none of its steps. */
  readonly other: PortRole;
}

/** Follows knocks through the group; the entries live in the tracker's table. */
export class KnockdGroup {
  readonly #table: ProgressTable;
  readonly #step: Step;
  readonly #ignored: (followed: FollowedSequence, knock: Knock) => void;
  #members: readonly Member[] = [];
  #watched: ReadonlyMap<PortKey, readonly PortRole[]> = new Map();
  /**
   * Whether the source of the knock at hand has an entry in each member. Not which: a step that makes an entry or moves it
   * on may throw out another one.
   */
  #known = new Uint8Array(0);

  constructor(table: ProgressTable, step: Step, ignored: (followed: FollowedSequence, knock: Knock) => void) {
    this.#table = table;
    this.#step = step;
    this.#ignored = ignored;
  }

  /** Takes the sequences now in force. */
  use(sequences: readonly FollowedSequence[]): void {
    this.#watched = watchedPorts(sequences);
    const roles = new Map(sequences.map((followed) => [followed, new Map<PortKey, PortRole>()]));
    for (const [key, portRoles] of this.#watched)
      for (const portRole of portRoles) roles.get(portRole.followed)?.set(key, portRole);
    this.#members = [...roles].map(([followed, own]) => ({ followed, roles: own, other: { followed, role: 0 } }));
    this.#known = new Uint8Array(sequences.length);
  }

  /** Whether a port is a step of the group. */
  watches(key: PortKey): boolean {
    return this.#watched.has(key);
  }

  /** Follows one knock. `isForeign`: its target is no address of this host, so only sequences that name it are meant. */
  observe(knock: Knock, isForeign: boolean): void {
    const key = knock.protocol === protocolNumber.udp ? knock.port + 65536 : knock.port;
    const portRoles = this.#watched.get(key) ?? noRoles;
    if (!isSeen(portRoles, knock, isForeign)) for (const { followed } of portRoles) this.#ignored(followed, knock);
    else if (this.#find(knock, isForeign)) this.#follow(key, knock);
    else this.#begin(key, knock, isForeign);
  }

  /** Looks the source up in every member, and tells whether an attempt is under way. */
  #find(knock: Knock, isForeign: boolean): boolean {
    let isUnderWay = false;
    for (let at = 0; at < this.#members.length; at++) {
      const { followed } = this.#members[at] as Member;
      const isMeant = accepts(followed, knock, isForeign);
      const entry = isMeant ? this.#table.find(knock.source, followed.number) : noEntry;
      this.#known[at] = entry === noEntry ? 0 : 1;
      isUnderWay ||= entry !== noEntry && this.#isUnderWay(followed, entry, knock);
    }
    return isUnderWay;
  }

  #isUnderWay({ steps, sequence }: FollowedSequence, entry: Entry, knock: Knock): boolean {
    const done = this.#table.done(entry);
    const elapsedMicros = this.#table.elapsedMicros(entry, knock.atMicros);
    return done > 0 && done < steps && elapsedMicros >= 0 && elapsedMicros < sequence.withinMicros;
  }

  #follow(key: PortKey, knock: Knock): void {
    for (let at = 0; at < this.#members.length; at++) {
      const { followed, roles, other } = this.#members[at] as Member;
      const entry = this.#entryAt(at, followed, knock);
      if (entry === noEntry) continue;
      if (this.#isUnderWay(followed, entry, knock) && hasFlags(followed, knock))
        this.#step(roles.get(key) ?? other, entry, knock);
      else this.#ignored(followed, knock);
    }
  }

  #begin(key: PortKey, knock: Knock, isForeign: boolean): void {
    for (let at = 0; at < this.#members.length; at++) {
      const { followed, roles, other } = this.#members[at] as Member;
      const entry = this.#entryAt(at, followed, knock);
      const portRole = roles.get(key);
      const isFirst = portRole !== undefined && (portRole.role & 1) === 1 && concerns(followed, knock, isForeign);
      if (isFirst) this.#step(portRole, entry, knock);
      else if (entry !== noEntry && this.#table.done(entry) % followed.steps !== 0) this.#step(other, entry, knock);
      else if (portRole !== undefined) this.#ignored(followed, knock);
    }
  }

  #entryAt(at: number, followed: FollowedSequence, knock: Knock): Entry {
    return this.#known[at] === 0 ? noEntry : this.#table.find(knock.source, followed.number);
  }
}

const noRoles: readonly PortRole[] = [];

/** Whether some sequence that has the port is meant by the knock. */
function isSeen(portRoles: readonly PortRole[], knock: Knock, isForeign: boolean): boolean {
  for (const { followed } of portRoles) if (concerns(followed, knock, isForeign)) return true;
  return false;
}
