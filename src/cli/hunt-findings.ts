import { type Finding, findingRecord, isoTime } from "../hunt/finding.ts";
import { formatAddress } from "../policy/address.ts";
import type { CommandIo, OutputFormat } from "./command-io.ts";
import { formatTable } from "./table.ts";

const head = ["SCORE", "KIND", "SOURCE", "TARGET", "STEPS", "OPENED", "TIMES", "FIRST", "LAST", "WHY"] as const;

/** Prints findings as a table, or an object a line. Nothing when there are none. */
export function printFindings(findings: readonly Finding[], output: OutputFormat, io: CommandIo): void {
  if (findings.length === 0) return;
  if (output === "table") io.stdout.write(formatTable(head, findings.map(cells)));
  else for (const finding of findings) io.stdout.write(`${JSON.stringify(findingRecord(finding))}\n`);
}

function cells({ score, kind, source, target, steps, opened, times, ...finding }: Finding): readonly string[] {
  const hosts = [formatAddress(source), formatAddress(target)];
  const when = [isoTime(finding.firstStamp), isoTime(finding.lastStamp)];
  return [
    String(score),
    kind,
    ...hosts,
    steps.join(","),
    opened.join(","),
    String(times),
    ...when,
    finding.reasons.join("; "),
  ];
}
