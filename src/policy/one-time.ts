import { trimBlanks } from "./knockd-line.ts";
import { readSteps } from "./knockd-values.ts";
import type { PortKey } from "./port.ts";

/** The texts of one-time files by their names in the knockd.conf; one that cannot be read is missing. */
export type OneTimeFiles = Readonly<Record<string, string>>;

/** The sequence that counts now in a one-time file. */
export interface CurrentLine {
  /** From 1. */
  readonly line: number;
  /** As it stands in the file, without the line's end. */
  readonly text: string;
  readonly steps: readonly PortKey[];
  /** The steps of the line that counts after this one. */
  readonly next: readonly PortKey[];
}

/**
 * The first line of a one-time file that is not used up; undefined when none is left. Blank lines, lines that begin with
 * `#` (used ones, and comments) and lines that are no sequence are passed over, as knockd does.
 *
 *     # for the road
 *     #7000,8000,9000
 *      7100:udp,8100,9100        counts
 *      7200,8200,9200
 */
export function readOneTimeLine(text: string): CurrentLine | undefined {
  const [current, next] = usableLines(text);
  return current === undefined ? undefined : { ...current, next: next?.steps ?? [] };
}

function* usableLines(text: string): Generator<Omit<CurrentLine, "next">> {
  for (const [at, line] of text.split("\n").entries()) {
    const content = trimBlanks(line);
    if (content === "" || content.startsWith("#")) continue;
    const steps = readSteps(content);
    if ("value" in steps) yield { line: at + 1, text: line, steps: steps.value };
  }
}

/** The file's text with a line marked as used: `#` is put before it and the line stays readable. Undefined when the line is not as it was. */
export function markOneTimeLine(text: string, line: number, lineText: string): string | undefined {
  const lines = text.split("\n");
  if (lines[line - 1] !== lineText) return undefined;
  lines[line - 1] = `#${lineText}`;
  return lines.join("\n");
}
