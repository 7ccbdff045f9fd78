import type { Matching } from "../policy/policy.ts";
import type { Matcher } from "./matcher.ts";
import { tolerant } from "./tolerant.ts";

/** The matchers there are. A sequence whose matching is missing here is not followed: its door stays closed. */
export const matchers: Readonly<Partial<Record<Matching, Matcher>>> = { Tolerant: tolerant };
