import type { Matching } from "../policy/policy.ts";
import { knockd } from "./knockd.ts";
import type { Matcher } from "./matcher.ts";
import { tolerant } from "./tolerant.ts";

/** The matchers there are. */
export const matchers: Readonly<Record<Matching, Matcher>> = { Tolerant: tolerant, Knockd: knockd };
