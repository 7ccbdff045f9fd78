/** What a check found, from harmless to grave. A problem makes `knockgate doctor` exit with 1. */
export const verdicts = ["ok", "warning", "problem"] as const;
export type Verdict = (typeof verdicts)[number];

/** One line of the doctor's report. */
export interface Finding {
  /** Which check: a short noun, stable across releases. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What is so, one clause. */
  readonly what: string;
  /** How to mend it; absent where nothing has to be. */
  readonly mend?: string;
}

/** Nothing has to be mended. */
export function ok(check: string, what: string): Finding {
  return { check, verdict: "ok", what };
}

/** Something works less well, or may not. */
export function warning(check: string, what: string, mend: string): Finding {
  return { check, verdict: "warning", what, mend };
}

/** Doors will not close or not open as they should. */
export function problem(check: string, what: string, mend: string): Finding {
  return { check, verdict: "problem", what, mend };
}
