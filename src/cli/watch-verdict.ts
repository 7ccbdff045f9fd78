import type { WatchEvent } from "../observability/watch-hub.ts";

/**
 * How far a source has come with one sequence on one node, from what its agent has shown. Never which step: only their number.
 *
 * | verdict | means |
 * |---|---|
 * | `no-knock` | nothing from the source was seen on a port of the sequence |
 * | `not-counted` | knocks were seen that do not count: flags, source or target do not fit, or nothing was begun |
 * | `half-way` | right so far; the next step has not come |
 * | `wrong-step`, `too-slow` | the attempt ended before this step |
 * | `complete` | every step was right; nothing was said of a door |
 * | `refused` | every step was right, and the door stays closed |
 * | `open`, `closed` | the door was opened; it was, and is closed again |
 */
export type VerdictKind =
  | "no-knock"
  | "not-counted"
  | "half-way"
  | "wrong-step"
  | "too-slow"
  | "complete"
  | "refused"
  | "open"
  | "closed";

/** What is to be said of one sequence. */
export interface WatchVerdict {
  readonly kind: VerdictKind;
  /** Steps done now. */
  readonly done: number;
  /** Of how many; undefined before anything was seen. */
  readonly steps: number | undefined;
  /** Which step was wrong or too late, from 1; undefined where its beginning was not seen. */
  readonly failedAt: number | undefined;
  /** In the agent's words. */
  readonly reason: string | undefined;
}

/** Before anything was seen. */
export const nothingSeen: WatchVerdict = {
  kind: "no-knock",
  done: 0,
  steps: undefined,
  failedAt: undefined,
  reason: undefined,
};

/** What one more event makes of it. Pure. */
export function judgeEvent(before: WatchVerdict, event: WatchEvent): WatchVerdict {
  const { kind, step = 0, steps = before.steps, reason, until } = event;
  const seen = { done: step, steps, failedAt: undefined, reason };
  const failedAt = before.done > 0 ? before.done + 1 : undefined;
  switch (kind) {
    case "advanced":
      return { ...seen, kind: "half-way" };
    case "completed":
      return { ...seen, kind: "complete" };
    case "reset":
      return { ...seen, kind: "wrong-step", failedAt };
    case "expired":
      return { ...seen, kind: "too-slow", failedAt };
    case "ignored": // what comes behind a wrong step does not count either: the wrong step is why
      return before.kind === "no-knock" ? { ...seen, kind: "not-counted" } : before;
    case "repeated":
      return before.kind === "no-knock" ? { ...seen, kind: "half-way" } : before;
    case "grant-added":
    case "grant-renewed":
    case "grant-shortened":
      return { ...before, kind: "open", done: 0, reason: until === undefined ? undefined : `until ${until}` };
    case "grant-refused":
    case "grant-failed":
      return { ...before, kind: "refused", done: 0, reason };
    case "grant-revoked":
    case "grant-expired":
      return { ...before, kind: "closed", done: 0, reason };
    case "dropped":
    case "watching":
      return before;
    default:
      return kind satisfies never;
  }
}

/** For people, in a few words. */
export function wordsOf({ kind, done, steps, failedAt, reason }: WatchVerdict): string {
  const because = reason === undefined ? "" : `: ${reason}`;
  const at = failedAt === undefined ? "" : ` at step ${failedAt} of ${steps}`;
  switch (kind) {
    case "no-knock":
      return "no knock seen";
    case "not-counted":
      return `not counted${because}`;
    case "half-way":
      return `${done} of ${steps} steps, the next has not come`;
    case "wrong-step":
      return `wrong step${at}${because}`;
    case "too-slow":
      return `too slow${at}${because}`;
    case "complete":
      return "all steps done";
    case "refused":
      return `refused${because}`;
    case "open":
      return `open${because}`;
    case "closed":
      return `closed again${because}`;
    default:
      return kind satisfies never;
  }
}
