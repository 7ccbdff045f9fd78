import { decodeTarget } from "./decode-target.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { knockTarget } from "./knock-target.ts";
import { knockdConfTarget } from "./knockd-conf-target.ts";
import { logTarget } from "./log-target.ts";
import { messagesTarget } from "./messages-target.ts";
import { policyTarget } from "./policy-target.ts";
import { Random } from "./random.ts";
import { recordsTarget } from "./records-target.ts";

/** Everything that reads what strangers, or a child that strangers may have taken over, wrote. */
export const targets: readonly FuzzTarget[] = [
  decodeTarget,
  recordsTarget,
  messagesTarget,
  logTarget,
  policyTarget,
  knockdConfTarget,
  knockTarget,
];

/** The input of this number: the same for the same seed, whatever came before it. */
export function inputOf(target: FuzzTarget, seed: number, number: number): Uint8Array {
  return target.make(new Random(seed, number));
}

/** By its name; undefined where there is none. */
export function targetOf(name: string): FuzzTarget | undefined {
  return targets.find((target) => target.name === name);
}
