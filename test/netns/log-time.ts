/**
 * From a moment of this machine's clock (`Date.now()`) to a line of an agent's log, by the line's own stamp: when it was
 * read does not matter.
 */
export function millisecondsUntil(line: string, sinceMs: number): number {
  return Date.parse((JSON.parse(line) as { time: string }).time) - sinceMs;
}
