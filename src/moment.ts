import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock } from "./clock.ts";

/** A point in time that can be told from after a restart of the agent, and after a reboot. */
export interface Moment {
  /** Of which boot the monotonic time is. */
  readonly boot: string;
  /** Monotonic. */
  readonly atMicros: number;
  readonly wallMicros: number;
}

/** Names this boot, random(4); where the kernel does not tell, a name that no other process has. */
export function bootId(path = "/proc/sys/kernel/random/boot_id"): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return randomUUID(); // every restart then counts as a reboot
  }
}

/** Now. */
export function momentOf(clock: Clock, boot: string): Moment {
  return { boot, atMicros: clock.nowMicros(), wallMicros: clock.wallMicros() };
}

/**
 * Microseconds from one moment to a later one. Within one boot by the monotonic clock, which nobody can set. Over a reboot only
 * the clock on the wall goes on, and it may be wrong: one that went back counts as no time at all. Pure.
 */
export function microsBetween(earlier: Moment, later: Moment): number {
  const isSameBoot = earlier.boot === later.boot;
  const micros = isSameBoot ? later.atMicros - earlier.atMicros : later.wallMicros - earlier.wallMicros;
  return Math.max(0, micros);
}
