import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchGoal, BenchPart, BenchRun } from "./bench-results.ts";
import { latencyDrawing } from "./latency-drawing.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

/** Writes docs/benchmarks.md and the drawing in it from a run; returns the files' paths. */
export function writePage(run: BenchRun): string[] {
  const drawing = latencyDrawing(run.parts.flatMap(({ series = [] }) => series));
  const files = { [`${docs}benchmarks.md`]: pageOf(run), [`${docs}benchmarks-latency.svg`]: drawing };
  for (const [file, text] of Object.entries(files)) writeFileSync(file, text);
  return Object.keys(files);
}

function pageOf({ measuredAt, machine, parts }: BenchRun): string {
  const goals = parts.flatMap((part) => part.goals ?? []);
  const where = `${machine.processors} processors (${machine.model}), Linux ${machine.kernel}, Node ${machine.node}`;
  return `# Benchmarks

Made by \`npm run bench -- --page\`, which runs everything below in one go, prints it, and writes it as JSON to
\`bench-results/\`. Any part runs by itself: \`npm run bench -- latency\` (or \`capture\`, \`matcher\`, \`grants\`, \`data-path\`,
\`agent\`, \`odds\`). The rivals are Debian's knockd 0.8 and fwknop 2.6.10, in the same run on the same machine, so look at
the ratios rather than at the times. A run says so when the machine is busy with something else.

Measured on ${measuredAt.slice(0, 10)}: ${where}.

${markdownTable(goals.map(goalRow))}

![How the time from the last knock to the open door is distributed](benchmarks-latency.svg)

${parts.map(sectionOf).join("\n\n")}
`;
}

function goalRow({ work, ours, knockd = "", fwknopd = "", ratio = "", target, isMet }: BenchGoal) {
  return { work, Knockgate: ours, knockd, fwknopd, ratio, "to reach": target, reached: isMet ? "yes" : "**no**" };
}

function sectionOf({ title, measured, rows }: BenchPart): string {
  return `## ${title}\n\n${measured}\n\n${markdownTable(rows)}`;
}

function markdownTable(rows: BenchPart["rows"]): string {
  const heads = Object.keys(rows[0] ?? {});
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(heads),
    line(heads.map(() => "---")),
    ...rows.map((row) => line(heads.map((head) => shown(row[head])))),
  ].join("\n");
}

function shown(value: string | number | boolean | undefined): string {
  if (typeof value !== "number") return String(value ?? "").replaceAll("|", "\\|");
  if (Number.isNaN(value)) return "–";
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(value < 100 ? 2 : 0);
}
