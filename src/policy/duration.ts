/** The forms `250ms`, `10s`, `5m`, `1h`, and `0s`; whole numbers only. */
export const durationPattern = /^(0|[1-9]\d{0,8})(ms|s|m|h)$/;

const unitMicros: Readonly<Record<string, number>> = { ms: 1e3, s: 1e6, m: 60e6, h: 3600e6 };

/** Microseconds of a duration, or undefined where the text is none, or so long (285 years) that it would not be exact. */
export function parseDuration(text: string): number | undefined {
  const match = durationPattern.exec(text);
  if (match === null) return undefined;
  const micros = Number(match[1]) * (unitMicros[match[2] ?? ""] ?? 0);
  return Number.isSafeInteger(micros) ? micros : undefined;
}

/** The shortest exact text in one unit, rounded up to whole milliseconds. */
export function formatDuration(micros: number): string {
  const ms = Math.ceil(micros / 1000);
  if (ms === 0) return "0s";
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
