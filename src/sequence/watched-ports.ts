import { type Knock, protocolNumber } from "../decode/knock.ts";
import { type Cidr, contains, familyOfCidr, sameAddress } from "../policy/address.ts";
import type { Policy, Sequence } from "../policy/policy.ts";
import type { PortKey } from "../policy/port.ts";
import { windowMilliseconds } from "./identity.ts";
import type { Matcher, Role } from "./matcher.ts";

/** A sequence that is followed, with what each knock needs to know about it. */
export interface FollowedSequence {
  /** Names the sequence in the table; never used again for another one. */
  readonly number: number;
  readonly policy: Policy;
  readonly sequence: Sequence;
  readonly matcher: Matcher;
  readonly steps: number;
  readonly windowMs: number;
  /** `sources` is everybody, so that nobody needs to be compared. */
  readonly openToAll: boolean;
}

/** What a port means to one sequence. */
export interface PortRole {
  readonly followed: FollowedSequence;
  readonly role: Role;
}

/** The sequence with what follows from it. */
export function followedSequence(
  number: number,
  policy: Policy,
  sequence: Sequence,
  matcher: Matcher,
): FollowedSequence {
  const { steps, withinMicros } = sequence;
  const everyFamily = new Set(sequence.sources.filter(isEverybody).map(familyOfCidr));
  const openToAll = everyFamily.size === 2;
  return {
    number,
    policy,
    sequence,
    matcher,
    steps: steps.length,
    windowMs: windowMilliseconds(withinMicros),
    openToAll,
  };
}

function isEverybody(cidr: Cidr): boolean {
  return cidr.prefixBits === (familyOfCidr(cidr) === "ipv4" ? 96 : 0);
}

/** Which sequences a port concerns. A step is never a decoy of its own sequence. */
export function watchedPorts(sequences: readonly FollowedSequence[]): ReadonlyMap<PortKey, readonly PortRole[]> {
  const watched = new Map<PortKey, PortRole[]>();
  for (const followed of sequences) {
    const roles = new Map<PortKey, Role>(followed.sequence.decoys.map((key) => [key, 0]));
    for (const [step, key] of followed.sequence.steps.entries()) roles.set(key, (roles.get(key) ?? 0) | (1 << step));
    for (const [key, role] of roles) {
      const list = watched.get(key);
      if (list === undefined) watched.set(key, [{ followed, role }]);
      else list.push({ followed, role });
    }
  }
  return watched;
}

/**
 * Whether the knock counts for the sequence: its flags (TCP only), its target and its source. What does not is as if it had not
 * been sent.
 */
export function concerns(followed: FollowedSequence, knock: Knock, isForeign: boolean): boolean {
  return hasFlags(followed, knock) && accepts(followed, knock, isForeign);
}

/** Whether it is UDP, or carries the flags that the sequence asks for. */
export function hasFlags({ sequence }: Pick<FollowedSequence, "sequence">, knock: Knock): boolean {
  const { must, mustNot } = sequence.flags;
  return knock.protocol !== protocolNumber.tcp || ((knock.flags & must) === must && (knock.flags & mustNot) === 0);
}

/**
 * Whether its target and its source are the sequence's. `isForeign`: the target is no address of this host and was captured only
 * because a door of a knockd.conf names it; then only such a door is meant.
 */
export function accepts({ sequence, openToAll }: FollowedSequence, knock: Knock, isForeign: boolean): boolean {
  const { target, sources, matching } = sequence;
  if (isForeign && (target === undefined || matching !== "Knockd")) return false;
  if (target !== undefined && !sameAddress(target, knock.target)) return false;
  return openToAll || sources.some((cidr) => contains(cidr, knock.source));
}
